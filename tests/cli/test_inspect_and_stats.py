"""`imageloom inspect` and `stats`: what they find in a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from PIL import Image

from imageloom import ImageDataGenerator, InvalidArgumentError, MissingFileError

# inspect


def inspected(folder: Path, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("inspect", folder, "--json", status=status).stdout)
    return found


def test_inspect_counts_as_the_flow_does(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "arrays").mkdir()
    np.save(folder / "arrays" / "a.npy", np.zeros((3, 4, 3), np.float16))
    (folder / "coffee" / "notes.TXT").write_text("x")
    (folder / "beside.png").write_bytes(b"")
    counts: dict[str, int] = {}
    with pytest.warns(UserWarning, match="empty"):
        flow = ImageDataGenerator().flow_from_directory(folder, class_counts=counts)
    found = inspected(folder)
    assert found["classes"] == counts
    assert found["images"] == found["readable"] == flow.n
    assert found["empty_classes"] == ["empty"]
    assert found["other_files"] == {".txt": 1, ".png": 1}
    assert sum(found["sizes"].values()) == sum(found["modes"].values()) == flow.n
    assert found["sizes"]["4 x 3"] == 1
    assert found["modes"]["float16"] == found["formats"]["NPY"] == 1
    words = run("inspect", folder)
    assert f"{flow.n} images of {len(counts)} classes" in words.stdout
    assert "empty" in words.stderr


@pytest.mark.slow
def test_inspect_finds_what_is_wrong(folder: Path) -> None:
    first = sorted((folder / "coffee").iterdir())[0]
    assert inspected(folder)["unreadable"] == {}
    shutil.copy(first, folder / "coins" / first.name)
    shutil.copy(folder / "coins" / "2.png", folder / "coins" / "again.png")
    (folder / "coins" / "broken.png").write_bytes(b"no image")
    whole = (folder / "rocket" / "q.jpg").read_bytes()
    (folder / "rocket" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    image = Image.open(folder / "rocket" / "r.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "rocket" / "turned.jpg", exif=exif)
    image.save(folder / "rocket" / "really.png", format="JPEG")
    frames = [Image.new("RGB", (9, 9), (60 * i, 0, 0)) for i in range(3)]
    frames[0].save(
        folder / "rocket" / "moving.png", format="GIF", save_all=True, append_images=frames[1:]
    )
    Image.new("1", (5001, 5000)).save(folder / "rocket" / "huge.png")
    found = inspected(folder, status=1)
    assert sorted(found["unreadable"]) == ["coins/broken.png", "rocket/half.jpg"]
    assert found["readable"] == found["images"] - 2
    between = [sorted([f"coffee/{first.name}", f"coins/{first.name}"])]
    assert found["duplicates_between_classes"] == between
    assert found["duplicates"] == sorted([*between, ["coins/2.png", "coins/again.png"]])
    assert found["turned_by_exif"] == ["rocket/turned.jpg"]
    assert found["several_frames"] == ["rocket/moving.png"]
    assert found["large"] == ["rocket/huge.png"]
    assert found["wrong_suffix"] == {"rocket/moving.png": "GIF", "rocket/really.png": "JPEG"}
    words = run("inspect", folder, status=1).stdout
    for name in ("broken.png", "half.jpg", "again.png", "turned.jpg", "moving.png", "huge.png"):
        assert name in words
    assert "different)" in words
    assert "and 1" in words  # of the sizes, not all are listed
    assert "more (--all)" not in run("inspect", folder, "--all", status=1).stdout


def test_files_of_equal_length_are_no_duplicates(tmp_path: Path) -> None:
    for value in (1, 2):
        pixels = np.tile(np.arange(0, 80, 10, dtype=np.uint8) * value, (8, 1))
        Image.fromarray(pixels).save(tmp_path / f"{value}.bmp")
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in tmp_path.glob("*.bmp"):
        path.rename(photos / path.name)
    found = inspected(tmp_path)
    assert found["duplicates"] == []
    assert found["classes"] == {"photos": 2}
    assert "Nothing unusual" in run("inspect", tmp_path).stdout
    assert inspected(photos, status=1)["classes"] == {"photos": 2}, "a flat folder"
    assert not list(tmp_path.parent.glob(".imageloom*")), "no index in the folder above"


def test_only_files_of_equal_length_are_compared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = pytest.importorskip("imageloom._cli.findings")
    compared: list[str] = []
    digest = findings._digest
    monkeypatch.setattr(findings, "_digest", lambda path: compared.append(path) or digest(path))
    shutil.copy(folder / "coins" / "2.png", folder / "coins" / "again.png")
    lengths = [p.stat().st_size for p in folder.rglob("*.*") if p.is_file() and p.name[0] != "."]
    inspected(folder)
    assert len(compared) == sum(lengths.count(length) > 1 for length in lengths) < len(lengths)


def test_nothing_to_inspect(tmp_path: Path) -> None:
    assert inspected(tmp_path, status=1)["images"] == 0


def test_imbalance_is_told(tmp_path: Path) -> None:
    for name, count in (("few", 1), ("many", 6)):
        (tmp_path / name).mkdir()
        for i in range(count):
            Image.new("L", (4, 4), 20 * i + count).save(tmp_path / name / f"{i}.png")
    assert "'many' has 6 times as many images as 'few'" in run("inspect", tmp_path).stdout


# stats


@pytest.mark.slow
def test_statistics_for_fit(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "stats.npz"
    result = run(
        "stats",
        folder,
        "-o",
        out,
        "--size",
        12,
        10,
        "--rescale",
        "1/255",
        "--json",
        "--zca",
        "--cores",
        1,
    )
    numbers = json.loads(result.stdout)
    options = {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 1 / 255}
    whitening = {"featurewise_center": True, "zca_whitening": True, "rescale": 1 / 255}
    for asked, names in ((options, ("mean", "std")), (whitening, ("mean", "zca_whitening_matrix"))):
        expected = ImageDataGenerator(executor="serial", **asked)
        flow = expected.flow_from_directory(folder, (12, 10), interpolation="bilinear")
        expected.fit(flow)
        generator = ImageDataGenerator(executor="serial", **asked)
        generator.fit(out)
        for name in names:
            np.testing.assert_array_equal(getattr(generator, name), getattr(expected, name))
        np.testing.assert_allclose(numbers["mean"], expected.mean.ravel())
        assert numbers["images"] == flow.n
    assert [path.name for path in tmp_path.iterdir() if "stats" in path.name] == ["stats.npz"]


@pytest.mark.slow
def test_statistics_that_do_not_do(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "stats.npz"
    assert "fit(" in run("stats", folder, "-o", out, "--size", 12, 10, "--cores", 1).stdout
    with pytest.raises(InvalidArgumentError, match="--zca"):
        ImageDataGenerator(featurewise_center=True, zca_whitening=True).fit(out)
    with pytest.raises(MissingFileError, match="nowhere"):
        ImageDataGenerator(featurewise_center=True).fit("nowhere.npz")
    for content in (b"", b"no archive", out.read_bytes()[:100]):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(InvalidArgumentError, match="imageloom stats"):
            ImageDataGenerator(featurewise_center=True).fit(tmp_path / "bad.npz")
    np.savez(tmp_path / "other.npz", mean=np.zeros(3))
    with pytest.raises(InvalidArgumentError, match="imageloom stats"):
        ImageDataGenerator(featurewise_center=True).fit(tmp_path / "other.npz")


@pytest.mark.slow
def test_statistics_in_spite_of_broken_files(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "stats.npz"
    out.write_bytes(b"of an earlier run")
    (folder / "coffee" / "broken.png").write_bytes(b"")
    words = ("stats", folder, "-o", out, "--size", 12, 10, "--cores", 1)
    result = run(*words, status=1)
    assert "broken.png" in result.stderr
    assert "--on-bad-image" in result.stderr
    assert result.stdout == ""
    assert out.read_bytes() == b"of an earlier run"
    result = run(*words, "--on-bad-image", "replace", "--json")
    assert "broken.png" in result.stderr
    assert len(json.loads(result.stdout)["mean"]) == 3
