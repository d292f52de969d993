"""A `cache` and what the program changes in Pillow: pixels of one setting never serve another."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cache_support import open_flow
from executor_support import write_crops
from pictures import photograph
from PIL import Image, ImageFile

from imageloom import BadImageError, ImageDataGenerator

SIDE = 24


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    """A data set in which the first file ends too early."""
    folder = write_crops(tmp_path / "torn")
    first = folder / "astronaut" / "00.jpg"
    Image.fromarray(photograph("coffee", 120, 120)).save(first)
    first.write_bytes(first.read_bytes()[: first.stat().st_size * 4 // 5])
    return folder


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)


def first_of(folder: Path, cache: Any, executor: str = "serial") -> Any:
    generator = ImageDataGenerator(executor=executor, cores=1, cache=cache)
    with generator.flow_from_directory(folder, (SIDE, SIDE), shuffle=False, class_mode=None) as it:
        for _ in range(2):
            batch = next(it)
    return batch


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_what_was_kept_of_torn_files_is_not_served_to_who_refuses_them(
    executor: str, torn: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        expected = first_of(torn, None)
        for _ in range(2):
            np.testing.assert_array_equal(first_of(torn, kept, executor), expected)
    for _ in range(2):
        with pytest.raises(BadImageError, match=r"00\.jpg"):
            first_of(torn, kept, executor)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    np.testing.assert_array_equal(first_of(torn, kept, executor), expected)


@pytest.mark.usefixtures("patient")
def test_each_setting_has_files_of_its_own(
    torn: Path, kept: Path, decodings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    next(open_flow(torn, kept))
    with monkeypatch.context() as patch:
        patch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
        with pytest.raises(BadImageError):
            next(open_flow(torn, kept))
    decodings.clear()
    next(open_flow(torn, kept))
    assert decodings == [], "the first ones are still there"


@pytest.mark.parametrize("where", ["memory", "directory"])
@pytest.mark.usefixtures("patient")
def test_the_switch_of_a_running_program_counts_at_once(
    where: str, torn: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the program's own process Pillow's switches apply as they are, cached or not."""
    it = open_flow(torn, kept if where == "directory" else "memory")  # type: ignore[arg-type]
    expected = it[0]
    with monkeypatch.context() as patch:
        patch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
        with pytest.raises(BadImageError):
            it[0]
    np.testing.assert_array_equal(it[0][0], expected[0])


@pytest.fixture
def white_jpegs() -> Iterator[None]:
    """A plug-in of the program that takes the place of Pillow's own for JPEG files."""
    own, order = dict(Image.OPEN), Image.ID.copy()

    class White(ImageFile.ImageFile):
        format = "JPEG"

        def _open(self) -> None:
            self._size, self._mode = (SIDE, SIDE), "L"
            self.tile = [ImageFile._Tile("raw", (0, 0, SIDE, SIDE), 0, ("L", 0, 1))]
            self.fp = io.BytesIO(b"\xff" * SIDE * SIDE)

    Image.register_open("JPEG", White, lambda prefix: prefix.startswith(b"\xff\xd8\xff"))
    yield
    Image.OPEN.clear()
    Image.OPEN.update(own)
    Image.ID[:] = order


def test_a_plugin_of_the_program_has_files_of_its_own(
    crops: Path, kept: Path, request: pytest.FixtureRequest
) -> None:
    before = next(open_flow(crops, kept))
    request.getfixturevalue("white_jpegs")
    expected = next(open_flow(crops, None))
    assert not np.array_equal(before[0], expected[0])
    for _ in range(2):
        np.testing.assert_array_equal(next(open_flow(crops, kept))[0], expected[0])
