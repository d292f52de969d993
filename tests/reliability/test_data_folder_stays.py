"""The data folder stays as it is: nothing is written into it, whatever is done with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from executor_support import SIZE

from imageloom import ImageDataGenerator, preview
from imageloom._cli import main


@pytest.fixture
def folder(crops: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(crops, tmp_path / "data"))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, where commands leave their results."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """The size and the modification time of every file and folder."""
    places = [folder, *folder.rglob("*")]
    return {str(place): (place.stat().st_size, place.stat().st_mtime_ns) for place in places}


@pytest.fixture
def unchanged(folder: Path, elsewhere: Path) -> Iterator[Path]:
    """A data folder that is compared with itself at the end."""
    before, names = snapshot(folder), os.listdir(folder)
    yield folder
    assert os.listdir(folder) == names
    assert snapshot(folder) == before


def read(folder: Any, *, subset: str | None = None, **options: Any) -> None:
    generator = ImageDataGenerator(cores=1, validation_split=0.3, **{"executor": "serial", **options})
    with generator.flow_from_directory(folder, SIZE, batch_size=8, seed=1, subset=subset) as it:
        for _ in range(len(it) + 1):
            next(it)


@pytest.mark.parametrize(
    "use",
    [
        read,
        lambda folder: read(folder, executor="processes"),
        lambda folder: read(folder, executor="threads"),
        lambda folder: [read(folder, subset=subset) for subset in ("training", "validation")],
        lambda folder: read(folder, cache="memory"),
        lambda folder: [read(folder, cache="kept") for _ in range(2)],
        lambda folder: read(os.path.relpath(folder)),
        lambda folder: read(f"{folder}{os.sep}"),
        lambda folder: preview(ImageDataGenerator(rotation_range=9), folder / "cat"),
    ],
    ids=[
        "serial",
        "processes",
        "threads",
        "subsets",
        "memory",
        "cache",
        "relative",
        "slash",
        "preview",
    ],
)
def test_iterators_leave_it_as_it_is(use: Callable[[Path], Any], unchanged: Path) -> None:
    use(unchanged)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "{}"],
        ["preview", "{}", "-o", "sheet.png", "--size", "24", "24"],
        ["stats", "{}", "--size", "8", "8", "--executor", "serial"],
        ["bench", "{}", "--size", "8", "8", "--seconds", "0.2"],
    ],
    ids=lambda words: words[0],
)
def test_commands_leave_it_as_it_is(words: list[str], unchanged: Path) -> None:
    separate = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
    result = CliRunner(**separate).invoke(main, [word.format(unchanged) for word in words])
    assert result.exit_code == 0, result.output


def test_a_link_to_it_leaves_it_as_it_is(unchanged: Path) -> None:
    try:
        Path("link").symlink_to(unchanged, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")
    read("link")
    assert os.listdir() == ["link"]


def test_a_class_that_is_read_alone_leaves_it_as_it_is(unchanged: Path) -> None:
    generator = ImageDataGenerator(executor="serial")
    generator.flow_from_directory(unchanged, classes=["cat"])
    assert len(os.listdir(unchanged)) == 3, "the commonest way to count the classes"


def test_a_shuffled_index_is_where_the_user_wants_it(unchanged: Path, elsewhere: Path) -> None:
    ImageDataGenerator(executor="serial").flow_from_directory(
        unchanged, shuffle_index_dir=elsewhere, seed=1
    )
    assert os.listdir(elsewhere) == [".index"]


@pytest.mark.slow
def test_two_programs_at_once_leave_it_as_it_is(unchanged: Path, user_cache: Path) -> None:
    program = (
        "import sys; from imageloom import ImageDataGenerator\n"
        "for _ in range(20): it = ImageDataGenerator().flow_from_directory(sys.argv[1])\n"
        "print(it.filenames)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(unchanged)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=100)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert said[0] == said[1]
    assert b"cat" in said[0]
    assert not list(user_cache.rglob(".imageloom-draft-*"))
