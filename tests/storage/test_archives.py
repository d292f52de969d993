"""Files in archives and in memory, which need no network; and what a URL is."""

from __future__ import annotations

import os
import tarfile
import warnings
import zipfile
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest
from executor_support import AUGMENTED, BATCHES, assert_same_batches, flow, take
from remote_support import remote, tarred, zipped

from imageloom import InvalidArgumentError, StorageError, load_img
from imageloom._storage.urls import absolute, can_be_joined, is_url, join, last_part, protocols, split

fsspec = pytest.importorskip("fsspec")


# What a URL is

LOCAL = [
    "photos", "/data/photos", "C:\\photos", "C:/photos", "C://photos", "a::b.jpg", "cats/a::b.jpg",
    "a:b", "./s3://x", "http:/x", "", "1://x",
]  # fmt: skip
URLS = [
    "s3://bucket/photos", "zip://::/data/x.zip", "zip://a/b::s3://bucket/x.zip", "memory://", "hf://datasets/a/b",
    "simplecache::s3://bucket/photos", "simplecache::zip://a::gs://b/x.zip", "github+x.y://a", "S3://b/c",
]  # fmt: skip


def test_which_paths_are_urls() -> None:
    assert [path for path in LOCAL if is_url(path)] == []
    assert [url for url in URLS if not is_url(url)] == []
    assert not is_url(Path("s3://bucket"))
    assert protocols([*LOCAL, "zip://a::simplecache::s3://b/x.zip", "zip://::/x.zip"]) == {
        "zip", "simplecache", "s3",
    }  # fmt: skip


parts = st.text(st.characters(blacklist_characters="/:\0", blacklist_categories=["Cs"]), min_size=1)
relative = st.lists(parts.filter(lambda part: part not in (".", "..")), min_size=1).map("/".join)


@hypothesis.given(st.sampled_from(URLS), relative)
def test_a_file_by_url_is_split_and_joined(root: str, name: str) -> None:
    url = join(root, name)
    assert is_url(url)
    folder, last = split(url)
    assert last == name.rpartition("/")[2]
    assert join(folder, last) == url
    assert folder == (join(root, name.rpartition("/")[0]) if "/" in name else root)
    assert last_part(url) == last
    assert protocols([url]) == protocols([root])
    assert url.split("::")[1:] == root.split("::")[1:] or root.startswith("simplecache")


keys = st.lists(st.sampled_from(["", "a", "b.jpg"]), min_size=2).map("/".join)


@hypothesis.given(st.sampled_from(URLS), keys.filter(lambda key: key.strip("/")))
def test_a_slash_more_is_another_key(root: str, key: str) -> None:
    url = join(root, f"cat/{key}")
    folder, last = split(url)
    assert join(folder, last) == url
    assert can_be_joined(f"cat/{key}")


def test_which_names_could_be_something_else() -> None:
    """A bucket may have a folder "file:", or a key with "::" in it."""
    strange = ["file:///etc/1.jpg", "s3://other/1.jpg", "/etc/1.jpg", "cat/1.jpg::file:///etc/x.zip"]
    assert not any(map(can_be_joined, strange))
    assert all(map(can_be_joined, ["cat//etc/1.jpg", "cat/file:///etc/1.jpg", "cat/../1.jpg", "a:b"]))


@hypothesis.given(st.sampled_from(LOCAL), relative)
def test_local_paths_are_joined_as_ever(root: str, name: str) -> None:
    assert join(root, name) == os.path.join(root, name)
    assert absolute(root) == os.path.abspath(root)
    assert last_part(name) == name


def test_joining() -> None:
    assert join("zip://::/x.zip", "cats/1.jpg") == "zip://cats/1.jpg::/x.zip"
    assert join("zip://a/::s3://b/x.zip", "1.jpg") == "zip://a/1.jpg::s3://b/x.zip"
    assert join("simplecache::s3://b/c", "1.jpg") == "simplecache::s3://b/c/1.jpg"
    assert join("file:///", "1.jpg") == "file:///1.jpg"
    assert join("s3://b/c/", "1.jpg") == "s3://b/c/1.jpg"
    assert absolute("s3://b/c///") == "s3://b/c/"
    assert absolute("file:///") == "file:///"
    assert join("s3://b", "gs://c/1.jpg") == "gs://c/1.jpg"
    assert join("/photos", "gs://c/1.jpg") == "gs://c/1.jpg"
    assert absolute("zip://a::x.zip") == f"zip://a::{os.path.abspath('x.zip')}"
    assert last_part("https://h/cats/1.jpg?X-Signature=a/b.txt") == "1.jpg"
    assert last_part("zip://cats/1.jpg::https://h/x.zip?token=1") == "1.jpg"


def test_memory_and_archives_are_read_like_folders(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(crops, tmp_path / "x.zip", "images/")
    tarred(crops, tmp_path / "x.tar")
    fsspec.filesystem("memory").put(str(crops), "/alone", recursive=True)
    monkeypatch.chdir(tmp_path)
    expected = take(flow(crops, **AUGMENTED), BATCHES + 1)
    for url in ("zip://images::x.zip", "tar://images::x.tar", "memory://alone"):
        for executor in ("serial", "threads"):
            with remote(url, executor, **AUGMENTED) as it:
                assert_same_batches(take(it, BATCHES + 1), expected)
        assert load_img(it.filepaths[-1]) == load_img(flow(crops).filepaths[-1])


# Archives


def test_a_damaged_member_is_a_bad_image(crops: Path, tmp_path: Path) -> None:
    archive = zipped(crops, tmp_path / "x.zip")
    it = remote(f"zip://::{archive}", on_bad_image="replace", shuffle=False)
    with zipfile.ZipFile(archive) as file:
        infos = {
            info.filename: info.header_offset + info.compress_size // 2 for info in file.infolist()
        }
    content = bytearray(archive.read_bytes())
    for name in ("cat/01.png", "cat/02.jpg"):  # one is packed, the other is not
        content[infos[name] + 40] ^= 0xFF
    archive.write_bytes(content)
    with pytest.warns(UserWarning, match="damaged in its archive"):
        take(it, BATCHES)
    assert [bad.filename for bad in it.bad_images] == ["cat/01.png", "cat/02.jpg"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_that_has_changed_is_told(kind: str, crops: Path, tmp_path: Path) -> None:
    archive = tmp_path / f"x.{kind}"
    zipped(crops, archive) if kind == "zip" else tarred(crops, archive)
    url = f"{kind}://{'' if kind == 'zip' else 'images'}::{archive}"
    it = remote(url, on_bad_image="replace", shuffle=False)
    archive.write_bytes(archive.read_bytes()[:1000])
    with pytest.raises(StorageError, match="has changed"):
        take(it, BATCHES)
    archive.unlink()
    with pytest.raises(StorageError, match="no longer exists"):
        take(it, BATCHES)
    zipped(crops, archive) if kind == "zip" else tarred(crops, archive)
    assert_same_batches(take(remote(url), 2), take(flow(crops), 2))


def test_archives_that_cannot_be_read_are_refused(crops: Path, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(InvalidArgumentError, match="as a zip archive"):
        remote(f"zip://::{tmp_path / 'text.zip'}")
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as file:
        file.add(crops, "images")
    with pytest.raises(InvalidArgumentError, match="from its start for each image"):
        remote(f"tar://images::{tmp_path / 'x.tar.gz'}")
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_LZMA) as lzma:
        lzma.write(crops / "cat" / "00.jpg", "cat/00.jpg")
    with pytest.raises(InvalidArgumentError, match="compressed by method"):
        remote(f"zip://::{tmp_path / 'x.zip'}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("cache", ["", "simplecache::file://"])
def test_an_archive_that_is_no_file_is_no_wait(kind: str, cache: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    for name, words in (("pipe", "named pipe"), ("link", "named pipe"), ("folder", "it is a folder")):
        with pytest.raises(InvalidArgumentError, match=rf"{name}' cannot be read as .* {words}"):
            remote(f"{kind}://::{cache}{tmp_path / name}")
    with pytest.raises(InvalidArgumentError, match="a device"):
        remote(f"{kind}://::{cache}/dev/zero")


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_a_part_of_a_local_folder_is_read_like_it(executor: str, crops: Path) -> None:
    with remote(f"dir://{crops.name}::{crops.parent.as_uri()}", executor) as it:
        assert_same_batches(take(it, BATCHES), take(flow(crops), BATCHES))


def test_a_tar_archive_that_is_cut_or_damaged_between_its_files_is_refused(
    crops: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "x.tar"
    tarred(crops, archive)
    with tarfile.open(archive) as file:
        offsets = [info.offset for info in file.getmembers()]
        last = file.offset
    whole, middle = archive.read_bytes(), offsets[len(offsets) // 2]
    damaged = bytearray(whole)
    damaged[middle] ^= 0xFF
    parts = [whole[:middle], whole[: middle + 100], whole[: middle + 700], whole[:last], bytes(damaged)]
    for content in parts:
        archive.write_bytes(content)
        with pytest.raises(InvalidArgumentError, match=r"x\.tar' cannot be read as a tar archive"):
            remote(f"tar://images::{archive}")
    archive.write_bytes(whole[: last + tarfile.BLOCKSIZE])  # as short as some programs write it
    assert remote(f"tar://images::{archive}").filenames == flow(crops).filenames


def test_a_name_that_leads_out_of_an_archive_makes_no_class(crops: Path, tmp_path: Path) -> None:
    url = f"zip://::{zipped(crops, tmp_path / 'x.zip')}"
    with zipfile.ZipFile(tmp_path / "x.zip", "a") as file:
        file.write(crops / "cat" / "00.jpg", "../dogs/00.jpg")
    with pytest.warns(UserWarning, match=r"1 entries that are left out.*'\.\./dogs/00\.jpg'"):
        it = remote(url)
    assert it.class_indices == flow(crops).class_indices
    with zipfile.ZipFile(tmp_path / "x.zip", "a") as file:
        file.write(crops / "cat" / "00.jpg", "../dogs/01.jpg")
    # A warning that a filter has made an error stays one.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="2 entries that are left out"):
            remote(url)


def test_what_macos_and_folders_leave_in_a_zip(crops: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.write(crops / "cat" / "00.jpg", "cat/00.jpg")
        file.writestr("__MACOSX/cat/._00.jpg", b"a fork")
        file.mkdir("empty")
    with pytest.warns(UserWarning, match="No images found for the class 'empty'"):
        it = remote(f"zip://::{tmp_path / 'x.zip'}")
    assert (it.filenames, it.class_indices) == (["cat/00.jpg"], {"cat": 0, "empty": 1})
