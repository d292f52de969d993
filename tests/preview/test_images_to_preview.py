"""What `preview(gen, images)` takes, what it refuses, and that nothing is moved by it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from pictures import photograph
from PIL import Image
from programs import run_program
from sheets import ACCENT, FAINT, SIZE, Pixels, frames

from imageloom import (
    ArgumentTypeError,
    ImageDataGenerator,
    InvalidArgumentError,
    MissingFileError,
    preview,
)


def kinds_of_images(folder: Path, coffee: Pixels) -> dict[str, tuple[Any, int]]:
    """Images in every form, and how many of them are shown of at most 3."""
    files = sorted((folder / "coffee").iterdir())
    it = ImageDataGenerator().flow_from_directory(folder, target_size=(30, 40))
    return {
        "class folder": (folder, 3),
        "folder": (str(folder / "coffee"), 3),
        "file": (files[0], 1),
        "files": (files, 3),
        "two files": (files[:2], 2),
        "image": (coffee, 1),
        "grey image": (coffee[..., 0], 1),
        "images": (np.stack([coffee] * 5), 3),
        "grey images": (np.stack([coffee[..., 0]] * 2), 2),
        "Pillow": (Image.fromarray(coffee).quantize(16), 1),
        "mixed": ([Image.fromarray(coffee), coffee[:20, :30], coffee[..., 0]], 3),
        "iterator": (it, 3),
    }


KINDS = (
    "class folder", "folder", "file", "files", "two files", "image", "grey image", "images",
    "grey images", "Pillow", "mixed", "iterator",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_images_in_any_form(class_folder: Path, coffee: Pixels, kind: str) -> None:
    images, rows = kinds_of_images(class_folder, coffee)[kind]
    sheet = preview(ImageDataGenerator(rotation_range=9), images, samples=3, versions=2)
    assert isinstance(sheet, Image.Image)
    assert len(sheet.info["versions"]) == 2 * rows
    assert sheet._repr_png_().startswith(b"\x89PNG"), "notebooks show it"


def test_channels_first(coffee: Pixels) -> None:
    generator = ImageDataGenerator(data_format="channels_first")
    arrays = np.stack([np.moveaxis(coffee, -1, 0)] * 2)
    for images in (arrays, arrays[0], Image.fromarray(coffee), coffee[..., 0]):
        shown = frames(preview(generator, images, versions=1), FAINT, SIZE)
        expected = np.repeat(coffee[..., :1], 3, 2) if np.ndim(images) == 2 else coffee
        np.testing.assert_array_equal(shown[0], expected)


def test_a_size_to_read_files_in(class_folder: Path) -> None:
    sheet = preview(ImageDataGenerator(), class_folder, versions=1, target_size=SIZE)
    assert len(frames(sheet, ACCENT, SIZE)) == 4


@pytest.mark.parametrize(
    ("images", "options", "error", "words"),
    [
        ("nowhere", {}, MissingFileError, "nowhere"),
        (["nowhere.png"], {}, MissingFileError, "nowhere"),
        ([], {}, InvalidArgumentError, "no image"),
        (np.zeros((0, 5, 5, 3)), {}, InvalidArgumentError, "no image"),
        (np.zeros(5), {}, InvalidArgumentError, r"\(5,\)"),
        (np.array(["a"]), {}, ArgumentTypeError, "array"),
        (object(), {}, ArgumentTypeError, "object"),
        (7, {}, InvalidArgumentError, "shape"),
        (np.zeros((5, 5, 3)), {"target_size": (3, 3)}, InvalidArgumentError, "target_size"),
        (np.zeros((5, 5, 3)), {"samples": 0}, InvalidArgumentError, "samples"),
        (np.zeros((5, 5, 3)), {"versions": 0}, InvalidArgumentError, "versions"),
        (np.zeros((5, 5, 3)), {"seed": -1}, InvalidArgumentError, "seed"),
        (".", {"color_mode": "blue"}, InvalidArgumentError, "blue"),
        (".", {"interpolation": "blue"}, InvalidArgumentError, "blue"),
        (".", {"target_size": (0, 3)}, InvalidArgumentError, "target_size"),
    ],
)
def test_what_cannot_be_shown_is_said(images: Any, options: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        preview(ImageDataGenerator(), images, **options)


def test_generators_that_cannot_be_shown(coffee: Pixels, class_folder: Path, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    foreign = keras._tf_keras.keras.preprocessing.image.ImageDataGenerator()
    with pytest.raises(ArgumentTypeError, match="ImageDataGenerator"):
        preview(foreign, coffee)
    whole = ImageDataGenerator(get_batch_function=lambda *a: a)
    with pytest.raises(InvalidArgumentError, match="get_batch_function"):
        preview(whole, coffee)
    first = ImageDataGenerator(data_format="channels_first")
    with pytest.raises(InvalidArgumentError, match="data_format"):
        preview(first, ImageDataGenerator().flow_from_directory(class_folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidArgumentError, match="no images"):
        preview(ImageDataGenerator(), tmp_path / "empty")
    with pytest.raises(InvalidArgumentError, match="folder"):
        preview(ImageDataGenerator(), [class_folder, class_folder])


# Nothing is moved


@pytest.mark.slow
def test_nothing_is_moved(class_folder: Path, coffee: Pixels, tmp_path: Path) -> None:
    def hook(x: Pixels) -> Pixels:
        return x + np.random.uniform(0, 1) + random.random()

    generator = ImageDataGenerator(
        preprocessing_function=hook, rotation_range=20, cache="memory", cores=1, batch_size=2,
        save_to_dir=tmp_path / "saved",
    )  # fmt: skip
    attributes = {name: value for name, value in vars(generator).items() if name[0] != "_"}
    it = generator.flow_from_directory(class_folder, target_size=(20, 20), shuffle=False)
    random.seed(3)
    np.random.seed(3)
    states = random.getstate(), np.random.get_state()[1].tobytes()
    for _ in range(2):
        preview(generator, class_folder)
        preview(generator, coffee)
        preview(generator, it)
        it.preview()
        it._repr_html_()
        repr(it), repr(generator)
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == states
    assert {name: value for name, value in vars(generator).items() if name[0] != "_"} == attributes
    assert not psutil.Process().children()
    assert not (tmp_path / "saved").exists()
    assert it.seed is None
    assert it.total_batches_seen == 0
    generator.rotation_range = 0  # nothing is frozen yet
    generator.save_to_dir = None
    with it:
        assert len(next(it)[0]) == 2
        seen = it.total_batches_seen
        expected = it[3][0]
        it.preview()
        preview(generator, it)
        assert it.total_batches_seen == seen
        np.testing.assert_array_equal(it[3][0], expected)


@pytest.mark.slow
def test_the_function_is_no_module(tmp_path: Path) -> None:
    """`imageloom.preview` stays the function, whatever is imported."""
    done = run_program("preview/function_and_folder.py", cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr


def test_long_names_are_cut(tmp_path: Path) -> None:
    folder = tmp_path / ("class_" + "x" * 90)
    folder.mkdir()
    Image.fromarray(photograph("coffee", 60, 60)).save(folder / ("y" * 120 + ".png"))
    wide = preview(ImageDataGenerator(), tmp_path, versions=1)
    assert wide.width == preview(ImageDataGenerator(), next(folder.iterdir()), versions=1).width
