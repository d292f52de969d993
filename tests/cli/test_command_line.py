"""`imageloom preview`, `inspect`, `stats` and `bench`, as a user calls them.

How they end, at pipes and at Ctrl-C, is in `test_command_line_endings.py`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from programs import run_program

from imageloom import ImageDataGenerator, InvalidArgumentError, MissingFileError, __version__
from imageloom import _options as library_options
from imageloom._cli import arguments, main
from imageloom._cli.measuring import Rate, Setting, advise, settings

COMMANDS = ("inspect", "preview", "stats", "bench")


def run(*arguments: object, status: int = 0) -> Result:
    # Version 8.1 of click mixes both streams unless it is told not to, and 8.2 does not know the word.
    separate = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
    result = CliRunner(**separate).invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.stdout + result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def folder(class_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(class_folder, tmp_path / "images"))


# Help and errors


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_worth_reading(command: str) -> None:
    text = run(command, "--help").output
    assert re.search(rf"{command} \[OPTIONS\] DIR", text)
    found = [p for p in main.commands[command].params if isinstance(p, click.Option)]
    assert all(option.help for option in found)
    examples = text[text.index("Examples:") :].splitlines()[1:]
    assert len(examples) >= 2
    assert all(len(line) < 90 and line.startswith("  ") for line in examples), "each on its own line"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_help_are_right(command: str) -> None:
    """As far as the command line goes: every option is known, every value can be read."""
    text = run(command, "--help").output
    for line in text[text.index("Examples:") :].splitlines()[1:]:
        call = line.strip().partition(" | ")[0].split()
        if call[0] == "imageloom":
            words = [word.replace("photos", ".").replace("digits", ".") for word in call[2:]]
            words = ["." if word == "cat.jpg" else word for word in words if word != "-o"]
            words = [word for word in words if not word.endswith((".png", ".npz"))]
            main.commands[command].make_context(command, words)


def test_options_stand_in_sections() -> None:
    text = run("preview", "--help").output
    sections = re.findall(r"^(\w+):", text, re.MULTILINE)[1:]  # the first is the usage
    assert sections == ["Sheet", "Reading", "Augmentation", "Options", "Examples"]
    words = " ".join(text.split())
    assert "[default: 4, or all" in words
    assert "[default: nearest]" in words


def test_choices_are_the_librarys() -> None:
    for name in ("FILL_MODES", "INTERPOLATIONS", "NOISE_NAMES"):
        assert getattr(arguments, name) == getattr(library_options, name)
    known = {option.partition(" ")[0] for option, _ in arguments._AUGMENTATION}
    generator = ImageDataGenerator()
    assert all(hasattr(generator, name[2:].replace("-", "_")) for name in known)


def test_the_program_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imageloom", "--version"], capture_output=True, text=True, check=True
    )
    assert __version__ in done.stdout
    text = run("--help").output
    assert [text.index(f"  {command} ") for command in COMMANDS] == sorted(
        text.index(f"  {command} ") for command in COMMANDS
    )


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    done = run_program("cli/help_alone.py", cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_not_there(command: str, tmp_path: Path) -> None:
    assert "nowhere" in run(command, tmp_path / "nowhere", status=2).stderr


@pytest.mark.parametrize("command", ["preview", "stats", "bench"])
def test_a_folder_without_images(command: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    result = run(command, tmp_path / "empty", status=1)
    assert "no images" in result.stderr
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_what_the_library_finds_fault_with_is_one_line(folder: Path, tmp_path: Path) -> None:
    result = run("preview", folder, "-o", tmp_path / "x.png", "--shear-range", "nan", status=1)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "shear_range" in line
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("preview", "--size", "0", "5"),
        ("preview", "-o", "sheet.txt"),
        ("preview", "-o", "nowhere/sheet.png"),
        ("preview", "--zoom-range", "1,2,3"),
        ("preview", "--zoom-range", "much"),
        ("preview", "--noise", "loud"),
        ("stats", "-o", "stats.png"),
        ("stats", "--cores", "-5"),
        ("stats", "--cores", "many"),
        ("stats", "--rescale", "1/0"),
        ("bench", "--seconds", "0"),
        ("bench", "--cores", "100000"),
        ("inspect", "--what"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_has_status_2(folder: Path, words: tuple[str, ...]) -> None:
    result = run(words[0], folder, *words[1:], status=2)
    assert result.stdout == ""
    assert words[1] in result.stderr or "DIR" in result.stderr


# preview

DRAWN = (
    "--size", 60, 80, "--rotation-range", 30, "--horizontal-flip", "--brightness-range", 0.5, 1.5,
    "--samples", 3, "--versions", 2, "--noise", "gauss", "--zoom-range", "0.5,0.9",
)  # fmt: skip


def test_a_sheet_is_drawn(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    result = run("preview", folder, "-o", out, *DRAWN)
    assert result.stdout == f"{out}\n"
    with Image.open(out) as sheet:
        assert sheet.width > 3 * 240
        assert sheet.height > 3 * 180
    run("preview", folder, "-o", tmp_path / "again.png", *DRAWN)
    assert out.read_bytes() == (tmp_path / "again.png").read_bytes(), "the same seed, the same sheet"


def test_what_was_drawn_as_json(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.webp"
    found = json.loads(run("preview", folder, "-o", out, *DRAWN, "--json").stdout)
    assert found["file"] == str(out)
    assert len(found["versions"]) == 6
    for version in found["versions"]:
        assert (folder / version["file"]).exists()
        assert 0.5 <= version["parameters"]["zx"] <= 0.9
        assert 0.5 <= version["parameters"]["brightness"] <= 1.5
        assert "gauss" in version["parameters"]["noise"]


def test_images_without_classes(folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "sheet.jpg"
    run("preview", folder / "coffee", "-o", out, "--samples", 2)
    with Image.open(out) as sheet:
        assert sheet.format == "JPEG"
    files = sorted((folder / "coffee").iterdir())
    found = json.loads(run("preview", *files, "-o", out, "--versions", 1, "--json").stdout)
    assert len(found["versions"]) == len(files)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, out]), "no index is left beside them"


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
        Image.new("L", (8, 8), value).save(tmp_path / f"{value}.bmp")
    found = inspected(tmp_path)
    assert found["duplicates"] == []
    assert found["classes"] == {tmp_path.name: 2}
    assert "Nothing unusual" in run("inspect", tmp_path).stdout
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


# bench


@pytest.mark.slow
def test_bench_measures_and_advises(folder: Path) -> None:
    (folder / "coffee" / "broken.png").write_bytes(b"")
    words = ("bench", folder, "--seconds", 0.1, "--size", 24, 24, "--batch-size", 4, "--cores", 1)
    found = json.loads(run(*words, "--json").stdout)
    kinds = [(rate["executor"], rate["cores"], rate["cache"]) for rate in found["rates"]]
    assert kinds == [
        ("serial", 1, False), ("threads", 1, False), ("processes", 1, False), ("processes", 1, True),
    ]  # fmt: skip
    for rate in found["rates"]:
        assert 0 < rate["low"] <= rate["median"] <= rate["high"]
        assert rate["images"] >= 5
        assert rate["seconds"] >= 0.1
    assert (found["use"]["executor"], found["use"]["cores"], found["use"]["cache"]) in kinds
    assert found["use"]["reasons"]


def test_bench_in_words(folder: Path) -> None:
    words = ("bench", folder / "coffee", "--seconds", 0.1, "--size", 24, 24, "--executor", "serial")
    lines = run(*words, "--no-cache").stdout.splitlines()
    assert "5 images" in lines[0]
    assert lines[2].startswith("serial ")
    assert "Use executor='serial', cores=1" in lines
    assert any(line.startswith("  - the fastest") for line in lines)


def rate(executor: str, cores: int, images: float, *, cache: bool = False, spread: float = 1) -> Rate:
    return Rate(
        Setting(executor, cores, cache), images, images - spread, images + spread, 100, 1.0, 0.1,
        {"read": 3.0, "transform": 1.0},
    )  # fmt: skip


def test_advice_is_the_cheapest_that_is_about_as_fast() -> None:
    plain = [rate("serial", 1, 100), rate("processes", 1, 110), rate("processes", 2, 210)]
    cached = rate("processes", 2, 900, cache=True)
    advice = advise(plain, cached_nbytes=10, free_nbytes=100)
    assert advice.setting == Setting("processes", 2)
    text = "; ".join(advice.reasons)
    assert "the fastest: 210" in text
    assert "2 cores are 1.9 times as fast as one" in text
    assert "75%" in text
    assert "'read'" in text
    assert "overlap" not in text
    advice = advise([*plain, cached], cached_nbytes=5 * 10**8, free_nbytes=10**9)
    assert advice.setting == cached.setting
    assert any("0.5 GB" in reason for reason in advice.reasons)
    advice = advise([*plain, cached], cached_nbytes=10**10, free_nbytes=10**9)
    assert advice.setting == Setting("processes", 2)
    assert any("more than the free memory" in reason for reason in advice.reasons)
    close = [rate("threads", 1, 195, spread=20), rate("processes", 2, 210, spread=20)]
    advice = advise(close, cached_nbytes=10, free_nbytes=100)
    assert advice.setting == Setting("threads", 1)
    assert any("less than 15% ahead" in reason for reason in advice.reasons)
    assert any("overlap with 1 other" in reason for reason in advice.reasons)


def test_what_is_measured() -> None:
    def kinds(*arguments: Any, **options: Any) -> list[tuple[str, int]]:
        return [(s.executor, s.cores) for s in settings(*arguments, **options) if not s.cache]

    both = [(kind, count) for kind in ("threads", "processes") for count in (1, 2, 4, 6)]
    assert kinds(6) == [("serial", 1), *both]
    assert kinds(1) == [("serial", 1), ("threads", 1), ("processes", 1)]
    assert kinds(8, ["threads"], [3]) == [("threads", 3)]
    cached = [s for s in settings(6) if s.cache]
    assert cached == [Setting("processes", 1, True), Setting("processes", 6, True)]
    assert settings(4, ["serial"]) == [Setting("serial", 1), Setting("serial", 1, True)]
    assert not [s for s in settings(6, cache=False) if s.cache]


def test_a_cache_is_measured_with_few_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["imageloom._cli.bench"]  # the package has the command under this name
    monkeypatch.setattr(module, "_CACHED_IMAGES", 8)
    opener = module._Opener(
        folder, {}, {"size": (9, 9), "color_mode": "rgb", "interpolation": "bilinear", "batch_size": 2}
    )
    assert opener.flow(Setting("serial", 1)).n == opener.images > 8
    assert opener.flow(Setting("serial", 1, cache=True)).n == 8
    assert opener.nbytes == opener.images * 9 * 9 * 3
