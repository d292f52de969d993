"""Files of unusual names, in unusual places, against what Keras finds.

Beside `test_unusual_formats_against_keras.py`, which has unusual formats.
"""

from __future__ import annotations

import os
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reference import both_generators, quiet

from imageloom import ImageDataGenerator

READ: dict[str, Any] = {"target_size": (4, 4), "shuffle": False, "interpolation": "nearest"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def put(path: Path) -> Path:
    """A small image of whatever name; PNG by content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (len(path.name) * 9 % 256, 30, 200)).save(path, format="PNG")
    return path


def compare_listings(folder: Path, **options: Any) -> Any:
    """Both list the same and read the same; returns our iterator."""
    options = READ | options
    ours, theirs = both_generators(validation_split=0.5)
    with warnings.catch_warnings(record=True) as of_keras:
        warnings.simplefilter("always")
        expected = theirs.flow_from_directory(str(folder), **options)
    with warnings.catch_warnings(record=True) as of_ours:
        warnings.simplefilter("always")
        iterator = ours.flow_from_directory(folder, **options)
    for name in ("filenames", "filepaths", "class_indices", "samples", "num_classes"):
        assert getattr(iterator, name) == getattr(expected, name), name
    np.testing.assert_array_equal(iterator.classes, expected.classes)
    about_tiff = [
        any(w.category is UserWarning and ".tiff" in str(w.message) for w in caught)
        for caught in (of_ours, of_keras)
    ]
    assert about_tiff[0] == about_tiff[1]
    with quiet():
        for batch, wanted in zip(next(iterator), next(expected), strict=True):
            np.testing.assert_array_equal(batch, wanted)
    return iterator


NAMES = (
    "UPPER.PNG", "Mixed.JpEg", "PNG", "notapng", "png", ".png", ".jpg", "a.tif", "a.TIF", "b.bmp",
    "c.ppm", "a10.png", "a2.png", "A.png", "_.png", "two.dots.png", " leading.png", "trailing .png",
    "sp ace.png", "ümlaut.png", "日本語.png", "e\u0301.png", "é.png", "😀.png", "per%20cent.png",
    "quote'\".png", "~.png",
    "new\nline.png", "tab\t.png", "back\\slash.png", "-dash.png", "#hash.png", "İ.PNG", "ß.png",
)  # fmt: skip
IGNORED = (
    "a.gif",
    "a.webp",
    "a.png.txt",
    "png.",
    "a.npy",
    "Thumbs.db",
    "README",
    "a.jpe",
    "a.png~",
    "a.pn",
)


def test_names_of_all_kinds_are_found_and_ordered_as_in_keras(root: Path) -> None:
    for name in (*NAMES, *IGNORED):
        put(root / "klaß 1" / name)
        put(root / "klaß 1" / "Sub" / name)
    put(root / "b" / "one.png")
    put(root / "at the top.png")
    for subset in (None, "training", "validation"):
        with quiet():
            iterator = compare_listings(root, subset=subset)
    assert len(compare_listings(root).filenames) == 2 * len(NAMES) + 1
    assert not any(name.endswith(IGNORED) for name in iterator.filenames)


@pytest.mark.parametrize(
    "classes",
    [
        ["b", "a"],
        ("a",),
        ["b", "a", "b"],
    ],
)  # fmt: skip
def test_given_classes(classes: Any, root: Path) -> None:
    for name in ("a", "b", "c"):
        put(root / name / f"{name}.png")
    compare_listings(root, classes=classes, class_mode="sparse")


def test_bytes_that_are_no_text_in_a_name(root: Path) -> None:
    name = os.path.join(os.fsencode(root / "class"), b"caf\xe9.png")
    put(root / "class" / "z.png")
    try:
        with open(name, "wb") as file:
            file.write((root / "class" / "z.png").read_bytes())
    except OSError:  # such as macOS
        pytest.skip("the file system takes UTF-8 names alone")
    assert len(compare_listings(root).filenames) == 2


@pytest.mark.parametrize(
    "name",
    [
        "a.tiff", "a.TIFF", "sub/deep/a.tiff", ".tiff", "a.tif", "notatiff", "tiff",
    ],
)  # fmt: skip
def test_the_warning_of_tiff_files_is_that_of_keras(name: str, root: Path) -> None:
    put(root / "class" / name)
    put(root / "class" / "other.png")
    compare_listings(root)


def test_nested_and_hidden_folders(root: Path) -> None:
    for path in (
        "b/z.png", "b/sub/a.png", "b/sub/deeper/still/x.png", "b/sub.a/y.png", "b/Sub/y.png",
        "b/sub-/y.png", "b/.hidden/h.png", "b/.hidden.png", ".hidden/a.png", ".hidden/.more/b.png",
        "a/only/deep/q.png", "sub/b/one.png", "B/c.png", "b.png/file.png", "__pycache__/p.png",
        "é è/s p/a.png",
    ):  # fmt: skip
        put(root / path)
    iterator = compare_listings(root)
    assert ".hidden" in iterator.class_indices
    compare_listings(root, classes=["sub", "b", ".hidden"])
    compare_listings(root, subset="training")
    (root / "empty").mkdir()
    (root / "only others").mkdir()
    (root / "only others" / "a.txt").write_text("text")
    compare_listings(root)
    compare_listings(root, classes=["b", "absent", "empty", "a"])


@pytest.mark.parametrize("follow_links", [True, False])
def test_links_of_all_kinds(follow_links: bool, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside / "class" / "o1.png")
    put(outside / "class" / "deep" / "o2.png")
    put(outside / "single.png")
    put(root / "real" / "r.png")
    os.symlink(outside / "class", root / "linked class")
    os.symlink(outside / "class", root / "real" / "linked folder")
    os.symlink(outside / "single.png", root / "real" / "linked file.png")
    os.symlink(outside / "single.png", root / "real" / "linked without suffix")
    os.symlink(outside / "single.png", root / "a linked file at the top")
    os.symlink(Path("..") / "real" / "r.png", root / "real" / "relative.png")
    put(root / "inner" / "sub" / "i.png")
    os.symlink("sub", root / "inner" / "zub", target_is_directory=True)
    os.symlink(outside / "nowhere", root / "broken class")
    iterator = compare_listings(root, follow_links=follow_links)
    assert any("linked folder" in name for name in iterator.filenames) == follow_links
    assert "linked class" in iterator.class_indices
    compare_listings(root, follow_links=follow_links, subset="validation")


@pytest.mark.parametrize("follow_links", [True, False])
def test_a_link_to_itself_and_the_data_set_behind_a_link(
    follow_links: bool, root: Path, tmp_path: Path
) -> None:
    put(root / "class" / "a.png")
    put(root / "class" / "sub" / "b.png")
    os.symlink("itself", root / "class" / "itself")
    os.symlink(root, tmp_path / "other name")
    compare_listings(root, follow_links=follow_links)
    compare_listings(tmp_path / "other name", follow_links=follow_links)
    os.symlink("..", root / "class" / "round")  # Keras follows it until the path is too long
    if not follow_links:
        compare_listings(root, follow_links=False)
    else:
        iterator = ImageDataGenerator().flow_from_directory(root, follow_links=True)
        assert iterator.filenames == [
            os.path.join("class", name) for name in ("a.png", os.path.join("sub", "b.png"))
        ]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_changes_between_two_listings_is_noticed(
    seed: int, root: Path, tmp_path: Path
) -> None:
    """Ours keeps an index; Keras looks at everything each time."""
    rng = random.Random(seed)
    for name in ("a/1.png", "a/2.png", "a/sub/1.png", "b/1.png", "b/sub/deep/1.png"):
        put(root / name)
    put(tmp_path / "outside" / "one" / "o.png")
    put(tmp_path / "outside" / "two" / "p.png")
    os.symlink(tmp_path / "outside" / "one", root / "linked")
    os.symlink(tmp_path / "outside" / "two", root / "a" / "link")
    for step in range(12):
        folders = [root / "a", root / "b", *(p for p in (root / "a").rglob("*") if p.is_dir())]
        folders += [tmp_path / "outside" / "one", tmp_path / "outside" / "two"]
        change(rng, rng.choice(folders), step, root)
        compare_listings(root, follow_links=rng.random() < 0.7)


def change(rng: random.Random, folder: Path, step: int, root: Path) -> None:
    files = [p for p in folder.iterdir() if p.is_file()]
    what = rng.choice(["add", "add below", "remove", "rename", "swap classes", "replace link"])
    if what == "add" or (what in ("remove", "rename") and len(files) < 2):
        put(folder / f"new {step}.png")
    elif what == "add below":
        put(folder / f"folder {step}" / "inner" / "new.png")
    elif what == "remove":
        rng.choice(files).unlink()
    elif what == "rename":
        rng.choice(files).rename(folder / f"renamed {step}.png")
    elif what == "swap classes":
        (root / "a").rename(root / "kept")
        (root / "b").rename(root / "a")
        (root / "kept").rename(root / "b")
    else:
        target = os.readlink(root / "linked")
        (root / "linked").unlink()
        other = {"one": "two", "two": "one"}[Path(target).name]
        os.symlink(Path(target).with_name(other), root / "linked")


def test_a_folder_that_is_named_like_an_image_and_a_broken_link(root: Path) -> None:
    put(root / "class" / "folder.png" / "inside.png")
    put(root / "class" / "a.png")
    compare_listings(root)
    os.symlink(root / "nowhere", root / "class" / "broken.png")
    ours, theirs = both_generators()
    iterators = [g.flow_from_directory(str(root), shuffle=False) for g in (ours, theirs)]
    assert iterators[0].filenames == iterators[1].filenames
    for iterator in iterators:  # both list it, and find out when they read it
        with pytest.raises(FileNotFoundError):
            next(iterator)
