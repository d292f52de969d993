"""`imageloom preview`, `inspect`, `stats` and `bench`, as a user calls them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from imageloom import ImageDataGenerator, InvalidArgumentError, MissingFileError, __version__
from imageloom.cli import main

COMMANDS = ("preview", "inspect", "stats", "bench")


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def folder(class_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(class_folder, tmp_path / "images"))


# Help and errors


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_worth_reading(command: str) -> None:
    text = run(command, "--help").output
    assert f"{command} [OPTIONS] DIR" in text
    options = [p for p in main.commands[command].params if isinstance(p, click.Option)]
    assert all(option.help or option.show_default for option in options)


def test_the_program_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imageloom", "--version"], capture_output=True, text=True, check=True
    )
    assert __version__ in done.stdout
    assert all(command in run("--help").output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_not_there(command: str, tmp_path: Path) -> None:
    assert "nowhere" in run(command, tmp_path / "nowhere", status=2).output


@pytest.mark.parametrize("command", ["preview", "stats", "bench"])
def test_a_folder_without_images(command: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no images" in run(command, tmp_path / "empty", status=1).output.lower()


def test_what_the_library_finds_fault_with_is_one_line(folder: Path, tmp_path: Path) -> None:
    result = run("preview", folder, "-o", tmp_path / "x.png", "--shear-range", "nan", status=1)
    assert "shear_range" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "x.png").exists()


# preview


def test_a_sheet_is_drawn(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    result = run(
        "preview", folder, "-o", out, "--size", 60, 80, "--rotation-range", 30, "--horizontal-flip",
        "--brightness-range", 0.5, 1.5, "--samples", 3, "--versions", 2, "--noise", "gauss",
    )  # fmt: skip
    assert "3 of" in result.output
    assert str(out) in result.output
    with Image.open(out) as sheet:
        assert sheet.width > 3 * 144
        assert sheet.height > 3 * 108
    again = tmp_path / "again.png"
    run(
        "preview", folder, "-o", again, "--size", 60, 80, "--rotation-range", 30, "--horizontal-flip",
        "--brightness-range", 0.5, 1.5, "--samples", 3, "--versions", 2, "--noise", "gauss",
    )  # fmt: skip
    assert out.read_bytes() == again.read_bytes(), "the same seed, the same sheet"


def test_a_folder_of_images_without_classes(folder: Path, tmp_path: Path) -> None:
    alone = next(path for path in folder.iterdir() if path.is_dir())
    run("preview", alone, "-o", tmp_path / "sheet.jpg", "--samples", 2)
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.format == "JPEG"


# inspect


def test_inspect_finds_what_is_wrong(folder: Path) -> None:
    first = sorted(folder.glob("*/*.*"))[0]
    name = str(first.relative_to(folder))
    before = json.loads(run("inspect", folder, "--json").output)
    assert before["unreadable"] == {}
    shutil.copy(first, first.with_name("copy" + first.suffix))
    (first.parent / "broken.png").write_bytes(b"no image")
    (first.parent / "notes.txt").write_text("x")
    found = json.loads(run("inspect", folder, "--json", status=1).output)
    assert found["images"] == before["images"] + 1
    assert list(found["unreadable"]) == [f"{first.parent.name}/broken.png"]
    assert [sorted(group) for group in found["duplicates"] if name in group] == [
        sorted([name, f"{first.parent.name}/copy{first.suffix}"])
    ]
    assert found["ignored"] == 1
    assert sum(found["classes"].values()) == sum(found["sizes"].values()) == found["images"]
    words = run("inspect", folder, status=1).output
    assert "broken.png" in words
    assert f"{found['images']} images in" in words


# stats


def test_statistics_for_fit(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "stats.npz"
    result = run("stats", folder, "-o", out, "--size", 12, 10, "--rescale", 1 / 255, "--json", "--zca")
    numbers = json.loads(result.output)
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


def test_statistics_that_do_not_do(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "stats.npz"
    assert "fit(" in run("stats", folder, "-o", out, "--size", 12, 10).output
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


# bench


def test_bench_measures_and_advises(folder: Path) -> None:
    result = run("bench", folder, "--seconds", 0.1, "--size", 24, 24, "--batch-size", 4, "--json")
    found = json.loads(result.output)
    kinds = {(rate["executor"], rate["cache"]) for rate in found["rates"]}
    assert kinds == {("serial", False), ("threads", False), ("processes", False), ("processes", True)}
    assert all(rate["rate"] > 0 for rate in found["rates"])
    assert found["use"] in found["rates"]
