"""A directory as `cache` over many runs: which files are taken for which, and what goes."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from cache_support import fill, open_flow
from executor_support import BATCHES, SAMPLES, assert_same_batches, take

from imageloom import BadImageError
from imageloom._pipeline import cache_files, cache_folder
from imageloom._pipeline.cache_folder import generations
from imageloom._storage.atomic import DRAFT_PREFIX

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="tells files apart as POSIX does")


def sizes_of(kept: Path) -> list[int]:
    """The sides of the images that are kept, those that were used last first."""
    gc.collect()
    files = [one.path.with_suffix(".npy") for one in generations(kept)]
    return [round((file.stat().st_size / SAMPLES / 3) ** 0.5) for file in files]


def fill_size(crops: Path, kept: Path, side: int, **options: Any) -> None:
    it = open_flow(crops, kept, target_size=(side, side), **options)
    take(it, BATCHES)
    it.close()
    del it
    gc.collect()
    for place, one in enumerate(reversed(generations(kept))):  # clocks are coarse
        for file in one.files:
            os.utime(file, (1e9 + place, 1e9 + place))


# Files that have changed


@posix_only
def test_files_that_swap_their_names_swap_their_pixels(folder: Path, kept: Path) -> None:
    one, other = folder / "cat" / "00.jpg", folder / "cat" / "02.jpg"
    size = max(path.stat().st_size for path in (one, other))
    for path in (one, other):
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))
        os.utime(path, ns=(10**18, 10**18))
    before = fill(folder, kept)
    one.rename(folder / "x")
    other.rename(one)
    (folder / "x").rename(other)
    assert one.stat().st_size == other.stat().st_size
    assert one.stat().st_mtime_ns == other.stat().st_mtime_ns
    expected = take(open_flow(folder, None), BATCHES)
    assert any((x != y).any() for (x, _), (y, _) in zip(before, expected, strict=True))
    assert_same_batches(fill(folder, kept), expected)


@posix_only
@pytest.mark.parametrize("way", ["in place", "replaced"])
def test_a_file_of_the_same_size_and_time_is_decoded(way: str, folder: Path, kept: Path) -> None:
    fill(folder, kept)
    path, other = folder / "cat" / "00.jpg", (folder / "cat" / "02.jpg").read_bytes()
    status = path.stat()
    content = other[: status.st_size].ljust(status.st_size, b"\0")
    if way == "in place":
        path.write_bytes(content)
    else:
        (folder / "draft").write_bytes(content)
        (folder / "draft").replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    (one,) = generations(kept)
    before = one.path.with_suffix(".json").read_bytes()
    with contextlib.suppress(BadImageError):  # it may be cut off
        next(open_flow(folder, kept))
    assert one.path.with_suffix(".json").read_bytes() != before


# The bound


@pytest.mark.slow
def test_generations_beyond_the_limit_go_those_that_were_unused_for_longest_first(
    crops: Path, kept: Path
) -> None:
    limit = SAMPLES * 3 * 45**2
    for side in (20, 21, 22, 23):
        fill_size(crops, kept, side, cache_limit=limit)
    assert sizes_of(kept) == [23, 22, 21, 20]
    fill_size(crops, kept, 20, cache_limit=limit)
    assert sizes_of(kept)[0] == 20
    fill_size(crops, kept, 26, cache_limit=limit)
    assert sizes_of(kept) == [26, 20, 23]
    fill_size(crops, kept, 44, cache_limit=limit)
    assert sizes_of(kept) == [44]


@pytest.mark.slow
def test_there_are_only_so_many_generations(
    crops: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_folder, "MOST_GENERATIONS", 3)
    for side in range(8, 14):
        fill_size(crops, kept, side)
    assert sizes_of(kept) == [13, 12, 11]


@pytest.mark.slow
def test_the_default_bound_is_half_of_what_the_disk_would_have(
    crops: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = shutil.disk_usage(crops)
    monkeypatch.setattr(cache_files, "_SHARE_OF_DISK", SAMPLES * 3 * 35**2 / disk.free)
    for side in (20, 21, 22):
        fill_size(crops, kept, side)
    assert sizes_of(kept) == [22, 21]


@posix_only
def test_what_another_iterator_uses_stays(crops: Path, kept: Path) -> None:
    limit = SAMPLES * 3 * 21**2
    it = open_flow(crops, kept, target_size=(20, 20), cache_limit=limit)
    first = take(it, BATCHES)
    again = open_flow(crops, kept, target_size=(19, 19), cache_limit=limit)
    take(again, BATCHES)
    assert sorted(sizes_of(kept)) == [19, 20]
    take(it, BATCHES)
    assert it.report().cache_hits == SAMPLES
    assert len(first) == BATCHES


@pytest.mark.slow
def test_files_of_others_and_new_drafts_stay(crops: Path, kept: Path) -> None:
    kept.mkdir(parents=True)
    names = ["notes.txt", "507f1f77bcf86cd799439011.npy", "507f1f77bcf86cd799439012.json"]
    for name in [*names, f"{DRAFT_PREFIX}new.npy", f"{DRAFT_PREFIX}old.npy"]:
        (kept / name).write_bytes(b"{}")
        os.utime(kept / name, (1e9, 1e9))
    os.utime(kept / f"{DRAFT_PREFIX}new.npy")
    for side in (20, 21):
        fill_size(crops, kept, side, cache_limit=SAMPLES * 3 * 22**2)
    assert sizes_of(kept) == [21]
    left = {path.name for path in kept.iterdir()}
    assert {*names, f"{DRAFT_PREFIX}new.npy"} <= left
    assert f"{DRAFT_PREFIX}old.npy" not in left
    assert len(left) == 7


# No room


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_file_system_without_room_keeps_nothing(
    number: int, crops: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cache_files, "_make_files", refuse)
    expected = take(open_flow(crops, None), BATCHES)
    it = open_flow(crops, kept)
    with pytest.warns(UserWarning, match="`cache` keeps nothing: there is no room for one image"):
        received = take(it, BATCHES)
    assert_same_batches(received, expected)
