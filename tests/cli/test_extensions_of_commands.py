"""`--extensions` wherever a command reads a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browsing import served
from command_line import run
from PIL import Image

from imageloom import ImageDataGenerator


@pytest.fixture(scope="module", params=["classes", "flat"])
def webp_folder(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four WebP files, and a PNG file that `--extensions webp` leaves out."""
    place: Path = tmp_path_factory.mktemp("photos")
    for number in range(4):
        folder = place / "ab"[number % 2] if request.param == "classes" else place
        folder.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.webp", lossless=True)
    Image.new("RGB", (20, 20)).save(folder / "left-out.png")
    return place


def test_inspect(webp_folder: Path) -> None:
    for names, count in (("webp", 4), (".webp, png", 5), ("all", 5), (None, 1)):
        words = () if names is None else ("--extensions", names)
        status = int(not any(webp_folder.glob("a")) or names is None)  # no, or empty, classes
        found = json.loads(run("inspect", webp_folder, *words, "--json", status=status).stdout)
        assert found["images"] == count, names
    split = ("--validation-split", 0.5, "--extensions", "webp")
    status = int(not any(webp_folder.glob("a")))
    found = json.loads(run("inspect", webp_folder, *split, "--json", status=status).stdout)
    assert found["images"] == 4


def test_tables(webp_folder: Path, tmp_path: Path) -> None:
    files = [str(path) for path in sorted(webp_folder.rglob("*.webp"))]
    table = tmp_path / "t.csv"
    pd.DataFrame({"filename": files, "class": ["x", "y"] * 2}).to_csv(table, index=False)
    found = json.loads(run("inspect", table, "--extensions", "webp", "--json").stdout)
    assert found["images"] == 4


def test_preview_and_stats(webp_folder: Path, tmp_path: Path) -> None:
    words = ("--size", 16, 16, "--extensions", "webp")
    sheet = run("preview", webp_folder, "-o", tmp_path / "a.png", *words, "--json")
    assert {one["file"].rpartition(".")[2] for one in json.loads(sheet.stdout)["versions"]} == {"webp"}
    out = tmp_path / "s.npz"
    serial = ("--executor", "serial")
    found = json.loads(run("stats", webp_folder, "-o", out, *words, *serial, "--json").stdout)
    assert found["images"] == 4


def test_browse(webp_folder: Path) -> None:
    with served(webp_folder, extensions=["webp"]) as client:
        assert client.json("set")["images"] == 4
        assert 'extensions=["webp"],' in client.json("versions", number=0)["code"]


def test_names_that_nobody_reads(webp_folder: Path) -> None:
    for command in ("inspect", "browse", "preview", "stats"):
        result = run(command, webp_folder, "--extensions", "webb", status=1)
        assert "'webb'" in result.stderr


def test_receipts_know_them(webp_folder: Path, tmp_path: Path) -> None:
    if not any(webp_folder.glob("a")):
        return
    generator = ImageDataGenerator(executor="serial", rotation_range=20)
    it = generator.flow_from_directory(
        webp_folder, extensions=["webp"], verbose=0, batch_size=2, seed=1
    )
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(it.receipt()))
    assert "The same: 4 images" in run("verify", receipt, webp_folder).stdout
