"""Where the index of a data set lies: in the user's cache directory, and never in the data folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from index_support import age, assert_no_drafts, names_of, place_of, posix, walked, write

from imageloom import ImageDataGenerator
from imageloom._sources.index import EARLIER_NAME, index_path, kept_indexes
from imageloom._storage import user_cache

pytestmark = pytest.mark.usefixtures("index_cache")


def test_each_data_set_has_one_index(pets: Path, listed: list[str], monkeypatch: Any) -> None:
    other = age(write(pets.parent / "other", "cats/z.png"))
    assert names_of(other, "cats") == [["cats/z.png"]]
    first = names_of(pets, "cats")
    monkeypatch.chdir(pets.parent)
    assert names_of(Path("pets"), "cats") == names_of(Path("other/../pets"), "cats") == first
    with suppress(OSError):  # this system lets nobody make links
        Path("link").symlink_to(pets, target_is_directory=True)
        assert names_of(Path("link"), "cats") == first
    assert listed == ["cats", "cats"]
    assert len(kept_indexes()) == 2


def test_without_any_place_for_an_index_everything_works(pets: Path, index_cache: Path) -> None:
    index_cache.write_text("not a folder")
    for _ in range(2):
        assert names_of(pets, "cats", "dogs") == walked(pets, "cats", "dogs")
    assert kept_indexes() == []


def test_without_a_home_nothing_is_written(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a user without a home, "~" stays as it is, and would become a folder in the current one."""
    monkeypatch.setenv("IMAGELOOM_CACHE_DIR", "")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: Path("~/.cache", name))
    monkeypatch.chdir(pets.parent)
    assert names_of(pets, "cats") == walked(pets, "cats")
    assert index_path(str(pets)) is None
    assert kept_indexes() == []
    assert os.listdir(pets.parent) == ["pets"]


def test_nothing_is_written_into_a_data_folder_that_holds_the_cache(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGELOOM_CACHE_DIR", str(pets / "cats" / "cache"))
    assert names_of(pets, "cats") == walked(pets, "cats")
    assert not (pets / "cats" / "cache").exists()


def test_the_file_of_an_earlier_version_is_left_alone(pets: Path) -> None:
    (pets / EARLIER_NAME).write_bytes(b'{"format": "imageloom-index", "version": 1, "classes": []}\n')
    before = (pets / EARLIER_NAME).stat()
    generator = ImageDataGenerator(executor="serial")
    iterator = generator.flow_from_directory(pets, (3, 3))
    assert list(iterator.class_indices) == ["cats", "dogs"]
    assert posix(iterator.filenames) == [n for files in walked(pets, "cats", "dogs") for n in files]
    assert (pets / EARLIER_NAME).stat() == before


# How many are kept


def test_those_that_were_unused_for_longest_are_dropped(
    tmp_path: Path, index_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_cache, "MOST_FILES", 3)
    roots = [age(write(tmp_path / name, "a/1.png")) for name in "abcde"]
    for number, root in enumerate(roots[:3]):
        names_of(root, "a")
        os.utime(place_of(root), (10**9 + number,) * 2)
    (index_cache / "index" / ".imageloom-draft-1").touch()
    os.utime(index_cache / "index" / ".imageloom-draft-1", (10**9,) * 2)
    names_of(roots[0], "a")  # which is a use
    for root in roots[3:]:
        names_of(root, "a")
    kept = {found.folder for found in kept_indexes()}
    assert kept == {os.path.realpath(roots[i]) for i in (0, 3, 4)}
    assert_no_drafts(index_cache)


def test_large_ones_are_dropped_but_not_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_cache, "MOST_BYTES", 100)
    for root in [age(write(tmp_path / name, "a/1.png")) for name in "ab"]:
        names_of(root, "a")
        assert [found.folder for found in kept_indexes()] == [os.path.realpath(root)]
