"""Links to folders, which `follow_links=True` follows: each once, and none in circles."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imageloom import ImageDataGenerator

pytestmark = pytest.mark.skipif(os.sep != "/", reason="needs links")


def listed(folder: Path, *, follow_links: bool = True) -> list[str]:
    it = ImageDataGenerator(executor="serial").flow_from_directory(folder, follow_links=follow_links)
    return [str(name) for name in it.filenames]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("cat/1.png", "cat/deep/2.png", "dog/3.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / name)
    return folder


PLAIN = ["cat/1.png", "cat/deep/2.png", "dog/3.png"]


@pytest.mark.parametrize("target", [".", "..", "../../cat", "../..", "{root}", "/"])
def test_a_link_to_a_folder_around_it_is_passed_over(photos: Path, target: str) -> None:
    (photos / "cat" / "deep" / "loop").symlink_to(target.format(root=photos))
    assert listed(photos) == PLAIN
    assert listed(photos, follow_links=False) == PLAIN
    assert listed(photos) == PLAIN, "also from the index"


def test_a_circle_of_two_links_ends(photos: Path) -> None:
    (photos / "cat" / "to dog").symlink_to("../dog")
    (photos / "dog" / "to cat").symlink_to("../cat")
    assert listed(photos) == [
        "cat/1.png", "cat/deep/2.png", "cat/to dog/3.png",
        "dog/3.png", "dog/to cat/1.png", "dog/to cat/deep/2.png",
    ]  # fmt: skip


def test_two_links_to_one_folder_are_both_followed(photos: Path) -> None:
    """As in Keras, which follows all links."""
    for name in ("one", "two"):
        (photos / "cat" / name).symlink_to("../dog")
    (photos / "puma").symlink_to("cat")
    assert listed(photos) == [
        "cat/1.png", "cat/deep/2.png", "cat/one/3.png", "cat/two/3.png", "dog/3.png",
        "puma/1.png", "puma/deep/2.png", "puma/one/3.png", "puma/two/3.png",
    ]  # fmt: skip
    assert listed(photos, follow_links=False) == [
        *PLAIN, "puma/1.png", "puma/deep/2.png",
    ]  # fmt: skip


def test_links_that_lead_nowhere_are_no_classes(photos: Path) -> None:
    """As in Keras, for which they are no folders."""
    (photos / "one").symlink_to("two")
    (photos / "two").symlink_to("one")
    (photos / "itself").symlink_to("itself")
    (photos / "gone").symlink_to("nothing")
    (photos / "below a file").symlink_to("cat/1.png/deep")
    (photos / "long").symlink_to("x" * 300)
    for follow_links in (False, True):
        it = ImageDataGenerator(executor="serial").flow_from_directory(
            photos, follow_links=follow_links
        )
        assert it.class_indices == {"cat": 0, "dog": 1}
        assert list(it.filenames) == PLAIN
