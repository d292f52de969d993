"""The index files of a data set: they spare the walk, and never tell anything but the truth."""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from executor_support import wait_for
from hypothesis import given, settings
from hypothesis import strategies as st
from index_support import age, assert_no_drafts, names_of, place_of, posix, remove, walked, write

from imageloom import ImageDataGenerator
from imageloom._sources import index, listing

pytestmark = pytest.mark.usefixtures("index_cache")
posix_names = pytest.mark.skipif(sys.platform != "linux", reason="file names as in Linux")


def flow(folder: Path, *, constructor: dict[str, Any] | None = None, **options: Any) -> list[str]:
    generator = ImageDataGenerator(executor="serial", **(constructor or {}))
    return posix(generator.flow_from_directory(folder, (3, 3), **options).filenames)


# The index


def test_the_second_flow_walks_through_nothing(
    pets: Path, listed: list[str], index_cache: Path
) -> None:
    first = flow(pets)
    assert listed == ["cats", "dogs"]
    assert flow(pets) == first == [name for files in walked(pets, "cats", "dogs") for name in files]
    assert flow(pets, classes=["dogs"]) == walked(pets, "dogs")[0]
    assert listed == ["cats", "dogs"]
    assert [path for path in index_cache.rglob("*") if path.is_file()] == [place_of(pets)]


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


@pytest.mark.skipif(sys.platform == "win32", reason="the times of changes are not kept there")
def test_a_change_is_noticed_though_the_folder_has_its_time_again(
    pets: Path, listed: list[str]
) -> None:
    """As after the second of two archives with parts of one data set, which both have its folders."""
    names_of(pets, "cats", "dogs")
    before = os.stat(pets / "dogs")
    write(pets, "dogs/another.jpg")

    def set_back() -> bool:
        os.utime(pets / "dogs", ns=(before.st_atime_ns, before.st_mtime_ns))
        return os.stat(pets / "dogs").st_ctime_ns != before.st_ctime_ns

    wait_for(set_back, "the next tick of the file system's clock")
    listed.clear()
    assert names_of(pets, "cats", "dogs") == walked(pets, "cats", "dogs")
    assert listed == ["dogs"]


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


def parts(content: bytes) -> tuple[dict[str, Any], Any, bytes]:
    header, classes, body = content.split(b"\n", 2)
    return json.loads(header), json.loads(classes), body


def joined(header: dict[str, Any], classes: Any, body: bytes) -> bytes:
    """An index whose checksum is right."""
    rest = json.dumps(classes).encode() + b"\n" + body
    own = {"checksum": zlib.crc32(rest)}
    return json.dumps({**header, **own}).encode() + b"\n" + rest


def test_the_index_is_two_lines_of_json_and_the_names(pets: Path) -> None:
    names_of(pets, "cats", "dogs")
    content = place_of(pets).read_bytes()
    header, classes, body = parts(content)
    cats, dogs = walked(pets, "cats", "dogs")
    assert body.replace(os.sep.encode(), b"/") == ("\0".join(cats) + "\0".join(dogs)).encode()
    assert (header["format"], header["folder"]) == ("imageloom-index", os.path.realpath(pets))
    assert [(c["name"], c["count"]) for c in classes] == [("cats", 3), ("dogs", 2)]
    assert joined(header, classes, body) == content


def changed(name: str, value: Any) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        header, rest = content.split(b"\n", 1)
        return json.dumps({**json.loads(header), name: value}).encode() + b"\n" + rest

    return change


def with_classes(value: Any) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        header, _, body = parts(content)
        return joined(header, value, body)

    return change


def naming(*files: str) -> Callable[[bytes], bytes]:
    """An index whose first class has these files."""

    def change(content: bytes) -> bytes:
        header, classes, body = parts(content)
        own = "\0".join(files).replace("/", os.sep)
        rest = body[classes[0]["length"] :]
        classes[0] |= {"length": len(own), "count": len(files)}
        return joined(header, classes, own.encode() + rest)

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
        lambda content: content.replace(b"1.jpg", b"7.jpg"),
        lambda content: b"[" * 50_000 + b"\n" + content,
        changed("version", 1),
        changed("format", "other"),
        changed("folder", "/another/folder"),
        changed("checksum", 0),
        with_classes(5),
        with_classes([{"name": "cats"}]),
        naming("cats/../../etc/x.png"),
        naming("cats/1.jpg", "/etc/x.png"),
        naming("dogs/1.bmp"),
        naming("cats/1.jpg", "catsanddogs/1.jpg"),
    ],
    ids=["empty", "binary", "cut", "half", "count", "list", "name", "nested", "version", "format",
         "folder", "checksum", "classes", "bare", "upwards", "absolute", "of-another-class", "prefix"],
)  # fmt: skip
def test_an_index_that_cannot_be_right_counts_as_none(
    damage: Callable[[bytes], bytes], pets: Path, listed: list[str]
) -> None:
    right = names_of(pets, "cats", "dogs")
    place = place_of(pets)
    content = place.read_bytes()
    assert damage(content) != content
    place.write_bytes(damage(content))
    assert names_of(pets, "cats", "dogs") == right
    assert listed == ["cats", "dogs"] * 2
    assert parts(place.read_bytes())[2] == parts(content)[2], "it was replaced by a good one"
    assert names_of(pets, "cats", "dogs") == right
    assert len(listed) == 4


def test_a_well_formed_index_is_believed(pets: Path) -> None:
    """So that the test above does not pass because nothing is ever believed."""
    names_of(pets, "cats", "dogs")
    place = place_of(pets)
    place.write_bytes(naming("cats/7.jpg")(place.read_bytes()))
    assert names_of(pets, "cats", "dogs") == [["cats/7.jpg"], walked(pets, "dogs")[0]]


@pytest.mark.slow
def test_every_byte_is_checked(pets: Path) -> None:
    right = names_of(pets, "cats", "dogs")
    content = place_of(pets).read_bytes()
    for number in range(len(content)):
        damaged = bytearray(content)
        damaged[number] ^= 1
        place_of(pets).write_bytes(damaged)
        assert names_of(pets, "cats", "dogs") == right


def test_an_index_of_another_folder_counts_as_none(pets: Path, tmp_path: Path) -> None:
    names_of(pets, "cats")
    other = age(write(tmp_path / "other", "cats/z.png"))
    place_of(other).write_bytes(place_of(pets).read_bytes())
    assert names_of(other, "cats") == [["cats/z.png"]]


def test_classes_that_are_gone_are_forgotten(pets: Path) -> None:
    names_of(pets, "cats", "dogs")
    remove(pets / "cats")
    names_of(age(write(pets, "hens/1.png")), "hens")
    assert [c["name"] for c in parts(place_of(pets).read_bytes())[1]] == ["dogs", "hens"]


def test_no_draft_stays_behind_when_writing_fails_half_way(
    pets: Path, index_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Any, target: Any) -> None:
        assert Path(source).stat().st_size > 0, "the draft is there"
        raise OSError("no space left on device")

    monkeypatch.setattr(index.os, "replace", full)
    assert names_of(pets, "cats") == walked(pets, "cats")
    assert [path for path in index_cache.rglob("*") if path.is_file()] == []


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
    assert parts(place_of(pets).read_bytes())[1][0]["count"] == 3
    assert_no_drafts(place_of(pets).parent)


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


@pytest.mark.slow
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
