"""The files of a `cache` that is a directory: reused, refused, damaged."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cache_support import fill, open_flow, the
from executor_support import (
    AUGMENTED,
    BATCH,
    BATCHES,
    SAMPLES,
    SEED,
    assert_same_batches,
    flow,
    take,
)

from imageloom import ImageDataGenerator, InvalidArgumentError, load_img

# See test_cache.test_files_are_closed_before_they_are_forgotten.

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="restricts and kills as POSIX does")


# A later run


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_a_second_run_decodes_nothing(
    executor: str, folder: Path, kept: Path, decodings: list[str]
) -> None:
    expected = take(flow(folder, **AUGMENTED), BATCHES)
    fill(folder, kept, **AUGMENTED)
    decodings.clear()
    generator = ImageDataGenerator(executor=executor, cores=2, cache=kept, **AUGMENTED)
    with generator.flow_from_directory(folder, (24, 24), batch_size=BATCH, seed=SEED) as it:
        assert_same_batches(take(it, BATCHES), expected)
        assert it.report().cache_hits == SAMPLES
    assert decodings == []


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "x"), OSError(errno.EROFS, "x")])
def test_files_that_may_only_be_read_are_used_as_they_are(
    error: OSError, folder: Path, kept: Path, decodings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = take(open_flow(folder, None, **AUGMENTED), 2 * BATCHES)
    take(open_flow(folder, kept, **AUGMENTED), 1)  # the first batch alone
    content = {path: path.read_bytes() for path in kept.iterdir()}

    def guarded(path: Any, mode: str = "r", **how: Any) -> Any:
        if mode == "r+b":
            raise error
        return open(path, mode, **how)

    monkeypatch.setattr("imageloom._pipeline.cache.open", guarded, raising=False)
    decodings.clear()
    assert_same_batches(take(open_flow(folder, kept, **AUGMENTED), 2 * BATCHES), expected)
    assert len(decodings) == 2 * (SAMPLES - BATCH)
    assert {path: path.read_bytes() for path in kept.iterdir()} == content


def test_the_files_are_plain(folder: Path, kept: Path) -> None:
    it = open_flow(folder, kept)
    take(it, BATCHES)
    assert sorted(path.suffix for path in kept.iterdir()) == [".json", ".marks", ".npy"]
    pixels = np.load(the(kept, "npy"), allow_pickle=False)
    assert (pixels.shape, pixels.dtype) == ((SAMPLES, 24, 24, 3), np.uint8)
    for row, name in zip(pixels, it.filenames, strict=True):
        image = load_img(folder / str(name), target_size=(24, 24), interpolation=it.interpolation)
        assert np.abs(row.astype(int) - np.asarray(image)).max() <= 1, (
            "the fast resizer rounds otherwise"
        )
    marks = np.fromfile(the(kept, "marks"), np.uint32)
    assert len(marks) == SAMPLES
    assert marks.all()
    description = json.loads(the(kept, "json").read_text("utf-8"))
    assert (description["format"], description["version"]) == ("imageloom-cache", 2)
    assert (description["rows"], description["read"]["target_size"]) == (SAMPLES, [24, 24])


def change_a_file(folder: Path) -> None:
    shutil.copy(folder / "cat" / "02.jpg", folder / "cat" / "00.jpg")
    os.utime(folder / "cat" / "00.jpg", ns=(1, 1))


def test_a_file_that_has_changed_is_decoded(folder: Path, kept: Path) -> None:
    before = fill(folder, kept)
    change_a_file(folder)
    expected = take(open_flow(folder, None), BATCHES)
    assert any((x != y).any() for (x, _), (y, _) in zip(before, expected, strict=True))
    assert_same_batches(fill(folder, kept), expected)


@pytest.mark.parametrize(
    "changed",
    [{"target_size": (20, 24)}, {"color_mode": "grayscale"}, {"interpolation": "box"},
     {"keep_aspect_ratio": True}, {"decode": "scaled"}],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_files_that_are_read_otherwise_are_decoded(
    changed: dict[str, Any], folder: Path, kept: Path, decodings: list[str]
) -> None:
    expected = take(open_flow(folder, None, **changed), BATCHES)
    fill(folder, kept)
    decodings.clear()
    assert_same_batches(fill(folder, kept, **changed), expected)
    assert len(decodings) == SAMPLES
    decodings.clear()
    fill(folder, kept)
    assert decodings == [], "the first ones are still there"


# Refused


def rewrite(**changed: Any) -> Callable[[Path], None]:
    def write(kept: Path) -> None:
        file = the(kept, "json")
        file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))

    return write


def contents(suffix: str, content: bytes) -> Callable[[Path], None]:
    return lambda kept: the(kept, suffix).write_bytes(content) and None


def cut(suffix: str, by: int) -> Callable[[Path], None]:
    return lambda kept: os.truncate(the(kept, suffix), the(kept, suffix).stat().st_size - by)


SPOILT = {
    "version": rewrite(version=1),
    "format": rewrite(format="another"),
    "libraries": rewrite(libraries={"pillow": "0.1"}),
    "fewer rows": rewrite(rows=3),
    "more": rewrite(more=1),
    "empty description": contents("json", b""),
    "list": contents("json", b"[1]"),
    "null": contents("json", b"null"),
    "no UTF-8": contents("json", b"\xff\xfe{"),
    "no rows": contents("json", b"{}"),
    "cut pixels": cut("npy", 1),
    "text for pixels": contents("npy", b"no array"),
    "cut marks": cut("marks", 4),
    "cut mark": cut("marks", 1),
    "no marks": lambda kept: the(kept, "marks").unlink(),
    "no pixels": lambda kept: the(kept, "npy").unlink(),
    "no description": lambda kept: the(kept, "json").unlink(),
    "other pixels": lambda kept: np.save(the(kept, "npy"), np.zeros((SAMPLES, 24, 24, 3), "int8")),
}
UNREAD = {
    "empty pixels": contents("npy", b""),
    "archive for pixels": contents("npy", b"PK\x03\x04" + bytes(40)),
    "infinite rows": contents("json", b'{"rows": Infinity}'),
    "deep description": contents("json", b"[" * 200_000),
}


@pytest.mark.parametrize(
    "spoil", [*SPOILT.values(), *UNREAD.values()],
    ids=[*SPOILT, *UNREAD],
)  # fmt: skip
def test_damaged_or_foreign_files_are_made_anew(
    spoil: Callable[[Path], None], crops: Path, kept: Path, decodings: list[str]
) -> None:
    expected = fill(crops, kept)
    spoil(kept)
    decodings.clear()
    assert_same_batches(fill(crops, kept), expected)
    assert len(decodings) == SAMPLES
    assert_same_batches(fill(crops, kept), expected)
    assert len(decodings) == SAMPLES, "the new ones are good"
    assert len(list(kept.iterdir())) == 3


def flip_in_row(kept: Path, row: int) -> None:
    pixels = np.load(the(kept, "npy"), mmap_mode="r+")
    pixels[row, 5, 5, 1] ^= 1


def empty_mark(kept: Path, row: int) -> None:
    marks = np.memmap(the(kept, "marks"), np.uint32, mode="r+")
    marks[row] = 0


def empty_row(kept: Path, row: int) -> None:
    np.load(the(kept, "npy"), mmap_mode="r+")[row] = 0


@pytest.mark.parametrize("damage", [flip_in_row, empty_mark, empty_row])
def test_a_row_that_is_not_what_its_mark_says_is_decoded_again(
    damage: Callable[[Path, int], None], crops: Path, kept: Path, decodings: list[str]
) -> None:
    expected = fill(crops, kept)
    for row in (0, 9, SAMPLES - 1):
        damage(kept, row)
    decodings.clear()
    assert_same_batches(fill(crops, kept), expected)
    assert len(decodings) == 3
    assert_same_batches(fill(crops, kept), expected)
    assert len(decodings) == 3, "they are right again"


@pytest.mark.filterwarnings("ignore:`cache` keeps nothing")
@pytest.mark.parametrize("limit", [4000, 100])
def test_a_larger_limit_later_keeps_more(limit: int, crops: Path, kept: Path) -> None:
    fill(crops, kept, cache_limit=limit)
    it = open_flow(crops, kept)
    take(it, 2 * BATCHES)
    assert it.report().cache_hits == SAMPLES


def test_a_directory_that_cannot_be_used_is_an_error_that_names_it(crops: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InvalidArgumentError, match=r"`cache` .*file.* cannot be used"):
            next(open_flow(crops, place))
