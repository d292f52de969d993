"""The index files of a data set: they spare the walk, and never tell anything but the truth."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import platformdirs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageloom import ImageDataGenerator
from imageloom._sources import index, listing
from imageloom._sources.index import INDEX_NAME, list_classes
from imageloom._sources.listing import list_class

LONG_AGO = 1_600_000_000_123_456_789  # nanoseconds; not a whole second
_ages = itertools.count(LONG_AGO, 1_000_000_007)
posix_names = pytest.mark.skipif(sys.platform != "linux", reason="file names as in Linux")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache directory."""
    folder = tmp_path / "the user's cache"
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: folder / name)
    return folder


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    files = ("cats/1.jpg", "cats/2.jpg", "cats/deep/er/3.png", "dogs/1.bmp", "dogs/x/2.png")
    return age(write(tmp_path / "pets", *files))


def write(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def age(root: Path) -> Path:
    """Dates every folder that was changed lately back, each to a time of its own."""
    for folder, _, _ in os.walk(root, followlinks=True):
        if os.stat(folder).st_mtime_ns > LONG_AGO * 1.05:
            time = next(_ages)
            os.utime(folder, ns=(time, time))
    return root


def posix(files: Sequence[Any]) -> list[str]:
    return [file.replace(os.sep, "/") for file in files]


def names_of(root: Path, *names: str, follow_links: bool = False) -> list[list[str]]:
    return [posix(found.files) for found in list_classes(str(root), names, follow_links=follow_links)]


def walked(root: Path, *names: str, follow_links: bool = False) -> list[list[str]]:
    return [posix(list_class(str(root), name, follow_links=follow_links).files) for name in names]


def assert_no_drafts(*folders: Path) -> None:
    assert [p for folder in folders for p in folder.rglob("*-draft-*")] == []


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The classes whose folders were walked through, in that order."""
    seen: list[str] = []

    def record(root: str, name: str, *, follow_links: bool) -> listing.ClassListing:
        seen.append(name)
        return list_class(root, name, follow_links=follow_links)

    monkeypatch.setattr("imageloom._sources.index.list_class", record)
    return seen


def flow(folder: Path, *, constructor: dict[str, Any] | None = None, **options: Any) -> list[str]:
    generator = ImageDataGenerator(executor="serial", **(constructor or {}))
    return posix(generator.flow_from_directory(folder, (3, 3), **options).filenames)


# The hidden index


def test_the_second_flow_walks_through_nothing(pets: Path, listed: list[str], cache: Path) -> None:
    first = flow(pets)
    assert listed == ["cats", "dogs"]
    assert flow(pets) == first == [name for files in walked(pets, "cats", "dogs") for name in files]
    assert flow(pets, classes=["dogs"]) == walked(pets, "dogs")[0]
    assert listed == ["cats", "dogs"]
    assert sorted(path.name for path in pets.iterdir()) == [INDEX_NAME, "cats", "dogs"]
    assert not cache.exists()


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    "change",
    [
        lambda cats: write(cats, "0.png"),
        lambda cats: write(cats, "deep/er/9.png"),
        lambda cats: write(cats, "new/folder/1.png"),
        lambda cats: remove(cats / "1.jpg"),
        lambda cats: remove(cats / "deep"),
        lambda cats: (cats / "1.jpg").rename(cats / "8.jpg"),
        lambda cats: (cats / "1.jpg").rename(cats / "deep" / "1.jpg"),
        lambda cats: (cats / "deep" / "er").rename(cats / "deep" / "est"),
    ],
    ids=["add", "deep", "folder", "remove", "rmtree", "rename", "move", "rename-folder"],
)
def test_a_change_is_noticed_and_only_its_class_listed_again(
    change: Callable[[Path], Any], pets: Path, listed: list[str]
) -> None:
    before = names_of(pets, "cats", "dogs")
    change(pets / "cats")
    age(pets)
    after = names_of(pets, "cats", "dogs")
    assert after == walked(pets, "cats", "dogs") != before
    assert listed == ["cats", "dogs", "cats"]
    assert names_of(pets, "cats", "dogs") == after
    assert len(listed) == 3


def test_a_class_that_is_replaced_or_gone_is_noticed(pets: Path) -> None:
    names_of(pets, "cats", "dogs")
    (pets / "cats").rename(pets / "aside")
    assert names_of(pets, "cats")[0] == []
    (pets / "dogs").rename(pets / "cats")
    assert (
        names_of(pets, "cats") == walked(pets, "cats") == [[f"cats{s}" for s in ("/1.bmp", "/x/2.png")]]
    )


def test_changes_in_linked_folders_are_noticed(pets: Path, tmp_path: Path, listed: list[str]) -> None:
    far = age(write(tmp_path / "far", "f.png", "in/g.png"))
    try:
        (pets / "cats" / "link").symlink_to(far, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")
    age(pets)
    before = names_of(pets, "cats", follow_links=True)
    assert len(before[0]) == 5
    assert names_of(pets, "cats", follow_links=True) == before
    assert listed == ["cats"]
    write(far, "in/h.png")
    age(far)
    assert names_of(pets, "cats", follow_links=True)[0] == sorted([*before[0], "cats/link/in/h.png"])
    assert listed == ["cats"] * 2
    assert len(names_of(pets, "cats", follow_links=False)[0]) == 3, "known of links says nothing here"
    assert len(names_of(pets, "cats", follow_links=True)[0]) == 6


@pytest.mark.parametrize(
    ("ago", "trusted"),
    [(40_000_001, False), (60_000_001, True), (10**9, False), (3 * 10**9, True)],
)
def test_what_was_changed_just_before_it_was_listed_is_not_trusted(
    ago: int, trusted: bool, pets: Path, listed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000 * 10**9
    monkeypatch.setattr(listing, "time", SimpleNamespace(time_ns=lambda: now))
    os.utime(pets / "dogs", ns=(now - ago, now - ago))
    for _ in range(2):
        names_of(pets, "cats", "dogs")
    assert listed == ["cats", "dogs"] + ["dogs"] * (not trusted)


def test_classes_may_be_opened_one_by_one(pets: Path, listed: list[str]) -> None:
    names_of(pets, "dogs")
    names_of(pets, "cats")
    assert names_of(pets, "cats", "dogs") == walked(pets, "cats", "dogs")
    assert listed == ["dogs", "cats"]


def parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    header, body = content.split(b"\n", 1)
    return json.loads(header), body


def test_the_index_is_a_line_of_json_and_the_names(pets: Path) -> None:
    names_of(pets, "cats", "dogs")
    header, body = parts((pets / INDEX_NAME).read_bytes())
    cats, dogs = walked(pets, "cats", "dogs")
    assert body.replace(os.sep.encode(), b"/") == ("\0".join(cats) + "\0".join(dogs)).encode()
    assert header["format"] == "imageloom-index"
    assert [(c["name"], c["count"]) for c in header["classes"]] == [("cats", 3), ("dogs", 2)]


def changed(name: str, value: Any) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        header, body = parts(content)
        return json.dumps({**header, name: value}).encode() + b"\n" + body

    return change


def naming(*files: str) -> Callable[[bytes], bytes]:
    """An index whose first class has these files."""

    def change(content: bytes) -> bytes:
        header, body = parts(content)
        own = "\0".join(files).replace("/", os.sep)
        rest = body[header["classes"][0]["length"] :]
        header["classes"][0] |= {"length": len(own), "count": len(files)}
        return json.dumps(header).encode() + b"\n" + own.encode() + rest

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"\x80\x05nonsense\n\n",
        lambda content: content[:-3],
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"1.jpg", b"1\0jpg"),
        lambda content: b"[]\n" + content,
        changed("version", 2),
        changed("format", "other"),
        changed("classes", 5),
        changed("classes", [{"name": "cats"}]),
        naming("cats/../../etc/x.png"),
        naming("cats/1.jpg", "/etc/x.png"),
        naming("dogs/1.bmp"),
        naming("cats/1.jpg", "catsanddogs/1.jpg"),
    ],
    ids=["empty", "binary", "cut", "half", "count", "list", "version", "format", "classes", "bare",
         "upwards", "absolute", "of-another-class", "prefix"],
)  # fmt: skip
def test_an_index_that_cannot_be_right_counts_as_none(
    damage: Callable[[bytes], bytes], pets: Path, listed: list[str]
) -> None:
    right = names_of(pets, "cats", "dogs")
    place = pets / INDEX_NAME
    content = place.read_bytes()
    place.write_bytes(damage(content))
    assert names_of(pets, "cats", "dogs") == right
    assert listed == ["cats", "dogs"] * 2
    assert parts(place.read_bytes())[1] == parts(content)[1], "it was replaced by a good one"
    assert names_of(pets, "cats", "dogs") == right
    assert len(listed) == 4


def test_a_well_formed_index_is_believed(pets: Path) -> None:
    """So that the test above does not pass because nothing is ever believed."""
    names_of(pets, "cats", "dogs")
    place = pets / INDEX_NAME
    place.write_bytes(naming("cats/7.jpg")(place.read_bytes()))
    assert names_of(pets, "cats", "dogs") == [["cats/7.jpg"], walked(pets, "dogs")[0]]


def block(place: Path) -> None:
    """Nobody can put a file in this place, not even root."""
    write(place, "in the way")


def test_where_the_data_set_cannot_be_written_the_index_is_in_the_cache(
    pets: Path, listed: list[str], cache: Path
) -> None:
    block(pets / INDEX_NAME)
    first = names_of(pets, "cats", "dogs")
    assert names_of(pets, "cats", "dogs") == first == walked(pets, "cats", "dogs")
    assert listed == ["cats", "dogs"]
    assert len([path for path in cache.rglob("*") if path.is_file()]) == 1
    assert_no_drafts(pets)
    other = age(write(pets.parent / "other", "cats/z.png"))
    block(other / INDEX_NAME)
    assert names_of(other, "cats") == [["cats/z.png"]], "each data set has one of its own"
    assert names_of(pets, "cats") == first[:1]
    assert listed == ["cats", "dogs", "cats"]


def test_without_any_place_for_an_index_everything_works(pets: Path, cache: Path) -> None:
    block(pets / INDEX_NAME)
    cache.write_text("not a folder")
    for _ in range(2):
        assert names_of(pets, "cats", "dogs") == walked(pets, "cats", "dogs")
    assert_no_drafts(pets)


def test_no_draft_stays_behind_when_writing_fails_half_way(
    pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Any, target: Any) -> None:
        assert Path(source).stat().st_size > 0, "the draft is there"
        raise OSError("no space left on device")

    monkeypatch.setattr(index.os, "replace", full)
    assert names_of(pets, "cats") == walked(pets, "cats")
    assert sorted(path.name for path in pets.iterdir()) == ["cats", "dogs"]
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_an_outdated_index_that_cannot_be_replaced_does_not_hide_the_one_in_the_cache(
    pets: Path, listed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names_of(pets, "cats", "dogs")
    write(pets, "cats/new.png")
    age(pets)
    genuine = index.replace_file

    def read_only(place: Path, content: bytes, **options: bool) -> None:
        if place.parent == pets:
            raise PermissionError(place)
        genuine(place, content, **options)

    monkeypatch.setattr(index, "replace_file", read_only)
    for _ in range(3):
        assert names_of(pets, "cats", "dogs") == walked(pets, "cats", "dogs")
    assert listed == ["cats", "dogs", "cats"]


@posix_names
def test_strange_names_survive(tmp_path: Path, listed: list[str]) -> None:
    classes = ["a b", "ä\n", os.fsdecode(b"\xe4")]
    odd = [" .png", "x\ny.jpg", "\U0001f600.png", '"\\n{.bmp', "\r.png"]
    odd += [os.fsdecode(name) for name in (b"\xff\xfe.png", b"sub\x80/\xc3.png")]
    files = [f"{name}/{file}" for name in classes for file in odd]
    root = age(write(tmp_path / "strange", *files))
    first = names_of(root, *classes)
    assert sorted(itertools.chain(*first)) == sorted(files)
    assert names_of(root, *classes) == first
    assert listed == classes


def test_several_threads_may_open_a_data_set_at_once(pets: Path) -> None:
    expected = walked(pets, "cats", "dogs")
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: names_of(pets, "cats", "dogs"), range(48)))
    assert found == [expected] * 48
    assert parts((pets / INDEX_NAME).read_bytes())[0]["classes"][0]["count"] == 3
    assert_no_drafts(pets)


def test_arrays_and_tiff_files_are_told_through_the_index(tmp_path: Path, listed: list[str]) -> None:
    root = age(write(tmp_path / "odd", "a/1.npy", "b/1.tiff", "b/1.npy"))
    for _ in range(2):
        with pytest.warns(UserWarning, match="multiple bands"):
            assert flow(root) == ["a/1.npy", "b/1.tiff"]
    assert listed == ["a", "b"]
    age(write(root, "a/2.png"))
    assert names_of(root, "a") == [["a/2.png"]]


PATHS = st.sampled_from([f"{c}/{f}" for c in "ab" for f in ("1.png", "2.npy", "x/3.jpg", "x/y/4.bmp",
                                                            "z/5.png", "6.txt")])  # fmt: skip


@settings(max_examples=40)
@given(st.lists(st.lists(st.tuples(st.sampled_from(("add", "remove", "rename")), PATHS)), max_size=6))
def test_the_index_is_right_whatever_happens(steps: list[list[tuple[str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), "a/0.png", "b/0.png")
        for step in steps:
            for action, file in step:
                path = root / file
                if action == "add":
                    write(root, file)
                elif path.exists():
                    remove(path) if action == "remove" else path.rename(path.with_name("r.png"))
            age(root)
            assert names_of(root, "a", "b") == walked(root, "a", "b")
            assert names_of(root, "b", "a") == walked(root, "b", "a")
