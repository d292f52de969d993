"""Archives with links give the files that the same folder would give."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from executor_support import assert_same_batches, take
from PIL import Image

from imageloom import DirectoryIterator, ImageDataGenerator, load_img
from imageloom._storage.links import is_loop, resolved

pytest.importorskip("fsspec")
pytestmark = pytest.mark.skipif(os.sep != "/", reason="needs links")
SIZE = (8, 8)


def picture(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*SIZE, 3), level, np.uint8)).save(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A data set with all kinds of links."""
    folder = tmp_path / "photos"
    for number in range(4):
        picture(folder / "cat" / f"{number}.png", number)
    picture(folder / "dog" / "deep" / "9.png", 9)
    cat, dog = folder / "cat", folder / "dog"
    os.link(cat / "0.png", cat / "hard.png")
    (cat / "soft.png").symlink_to("1.png")
    (cat / "twice.png").symlink_to("../cat/./soft.png")
    (dog / "elsewhere.png").symlink_to("../cat/3.png")
    (dog / "through.png").symlink_to("again/2.png")
    (dog / "again").symlink_to("../cat")
    (dog / "deep" / "loop").symlink_to("../../dog")
    (folder / "puma").symlink_to("cat")
    return folder


def packed(kind: str, folder: Path) -> str:
    archive = folder.parent / f"photos.{kind}"
    if kind == "tar":
        with tarfile.open(archive, "w") as file:
            file.add(folder, "./photos")
    else:
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(folder.rglob("*")):
                name = str(path.relative_to(folder.parent))
                if path.is_symlink():
                    link = zipfile.ZipInfo(name)
                    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
                    file.writestr(link, os.readlink(path))
                else:
                    file.write(path, name)
    return f"{kind}://photos::{archive}"


def flow(directory: str | Path, executor: str = "serial", **options: Any) -> DirectoryIterator:
    generator = ImageDataGenerator(executor=executor, cores=1)
    return generator.flow_from_directory(directory, SIZE, batch_size=5, seed=3, **options)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
@pytest.mark.parametrize("follow_links", [False, True])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_gives_the_files_of_the_folder(
    photos: Path, kind: str, follow_links: bool, executor: str
) -> None:
    url = packed(kind, photos)
    with (
        flow(photos, follow_links=follow_links) as near,
        flow(url, executor, follow_links=follow_links) as it,
    ):
        assert it.filenames == near.filenames
        assert len(near.filenames) == (24 if follow_links else 17)
        assert it.class_indices == near.class_indices == {"cat": 0, "dog": 1, "puma": 2}
        assert_same_batches(take(it, len(it)), take(near, len(it)))
        for path, same in zip(it.filepaths, near.filepaths, strict=True):
            assert load_img(path) == load_img(same)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_frames_name_links(photos: Path, kind: str) -> None:
    url = packed(kind, photos)
    names = ["cat/soft.png", "puma/2.png", "dog/again/3.png", "dog/deep/loop/elsewhere.png"]
    frame = pd.DataFrame({"filename": names})
    it = ImageDataGenerator(executor="serial").flow_from_dataframe(
        frame, url, class_mode=None, target_size=SIZE, shuffle=False
    )
    assert [int(level) for level in next(it)[:, 0, 0, 0]] == [1, 2, 3, 3]


OUTSIDE = ["/etc/hostname", "../../outside.png", "../../../../../etc/passwd", "nothing.png", "self.png"]


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("target", OUTSIDE)
def test_a_link_never_leads_out_of_its_archive(photos: Path, kind: str, target: str) -> None:
    picture(photos.parent / "outside.png", 200)
    before = flow(packed(kind, photos)).filenames
    (photos / "cat" / "self.png").symlink_to(target)
    url = packed(kind, photos)
    shutil.rmtree(photos)
    with pytest.warns(UserWarning, match=r"1 entries that are left out.*self\.png"):
        it = flow(url)
    assert it.filenames == before


def test_what_is_no_plain_file_is_told(tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.new("RGB", SIZE).save(content, "PNG")
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        plain = tarfile.TarInfo("cat/1.png")
        plain.size = len(content.getvalue())
        file.addfile(plain, io.BytesIO(content.getvalue()))
        for name, kind in (("pipe", tarfile.FIFOTYPE), ("device", tarfile.CHRTYPE)):
            other = tarfile.TarInfo(f"cat/{name}.png")
            other.type = kind
            file.addfile(other)
    with pytest.warns(UserWarning, match=r"2 entries that are left out.*pipe\.png"):
        it = flow(f"tar://::{tmp_path / 'x.tar'}")
    assert it.filenames == ["cat/1.png"]


def test_an_archive_without_oddities_warns_of_nothing(photos: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow(packed("tar", photos))


names = st.sampled_from(["a", "b", "c", "d", ".."])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@hypothesis.settings(deadline=None)
@hypothesis.given(st.dictionaries(st.sampled_from(["a", "b", "a/c", "d/c", "d"]), paths), paths)
def test_links_lead_where_the_system_says(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, str], path: str
) -> None:
    root = tmp_path_factory.mktemp("links") / "x" / "x" / "x"
    root.mkdir(parents=True)
    made = {}
    for place, target in links.items():
        parent = root / place
        if any(parent.parent == root / link for link in made):
            continue  # its folder is a link
        parent.parent.mkdir(exist_ok=True)
        if not parent.exists():
            parent.symlink_to(target)
            made[place] = target
    try:
        there = (root / path).resolve(strict=True)
    except (OSError, RuntimeError):
        return
    if there.is_relative_to(root) and ".." not in f"{path} {made}":
        assert root / (resolved(path, made) or "nothing") == there


def test_which_links_are_loops() -> None:
    assert is_loop("a", ("a/b",), "/")
    assert is_loop("a/b", ("a/b",), "/")
    assert is_loop("", ("a/b",), "/")
    assert is_loop("/", ("/a",), "/")
    assert not is_loop("a/b/c", ("a/b",), "/")
    assert not is_loop("a/bc", ("a/b",), "/")
    assert not is_loop("a/b", ("a/bc",), "/")
    assert is_loop("x", ("x/y", "a/b"), "/")
