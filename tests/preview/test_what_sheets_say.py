"""Sheets: which samples they show, their colours, and the sentences around the images."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pictures import CLASSES, FILE_COUNT, Pixels
from PIL import Image

from imageloom import ImageDataGenerator, MissingDirectoryError, preview
from imageloom._preview.colours import distinct_colour, label_colours
from imageloom._preview.samples import pick_samples, spread

# Which samples are shown


@pytest.mark.parametrize(("total", "count"), [(12, 4), (10, 3), (7, 7), (5, 4), (1, 1), (100, 1)])
def test_successive_seeds_go_through_all(total: int, count: int) -> None:
    assert spread(total, count) == [place * total // count for place in range(count)]
    pages = [spread(total, count, seed) for seed in range(total // count)]
    shown = [number for page in pages for number in page]
    assert len(set(shown)) == len(shown), "none comes again before all were there"
    for seed in (3, 17, 2**32 - 1):
        page = spread(total, count, seed)
        assert len(set(page)) == count
        assert set(page) <= set(range(total))
        assert page == spread(total, count, seed)
    assert spread(total, 0, 5) == []


def test_another_seed_shows_other_files(class_folder: Path) -> None:
    def files(sheet: Image.Image) -> set[str]:
        return {version["file"] for version in sheet.info["versions"]}

    generator = ImageDataGenerator(horizontal_flip=True)
    flow = generator.flow_from_directory(class_folder)
    for draw in (
        lambda seed: flow.preview(samples=len(CLASSES), versions=1, seed=seed),
        lambda seed: preview(generator, class_folder, samples=len(CLASSES), versions=1, seed=seed),
        lambda seed: preview(generator, np.zeros((9, 8, 8, 3)), samples=3, versions=1, seed=seed),
    ):
        assert files(draw(0)) == files(draw(0))
        assert not files(draw(0)) & files(draw(1))
    for seed in range(5):
        picked = pick_samples(flow._plan.source, len(CLASSES), seed)
        assert len({flow.classes[i] for i in picked}) == len(CLASSES), "still one of each class"
        assert len(set(pick_samples(flow._plan.source, FILE_COUNT, seed))) == FILE_COUNT


# That nothing is augmented


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "rotation_range=20"),
        ({"rescale": 1 / 255, "fill_mode": "wrap"}, "rotation_range=20"),
        ({"rotation_range": 20, "random_transforms_enabled": False}, "random_transforms_enabled=False"),
        ({"preprocessing_function": lambda x: x[::-1]}, "rotation_range=20"),
        ({"rotation_range": 20}, ""),
        ({"horizontal_flip": True}, ""),
        ({"noise": "gauss"}, ""),
        ({"preprocessing_function": lambda x: x + np.random.uniform(0, 9)}, ""),
    ],
)
def test_a_sheet_without_augmentation_says_so(
    class_folder: Path, coffee: Pixels, options: dict[str, Any], reason: str
) -> None:
    generator = ImageDataGenerator(**options)
    flow = generator.flow_from_directory(class_folder)
    for sheet in (
        flow.preview(samples=2, versions=2),
        preview(generator, class_folder, samples=2, versions=2),
        preview(generator, coffee, versions=2),
    ):
        notice = sheet.info["notice"]
        assert reason in notice
        assert notice.startswith("No augmentation") == bool(reason)


def test_a_validation_subset_says_why_it_is_not_augmented(class_folder: Path) -> None:
    generator = ImageDataGenerator(
        rotation_range=90, validation_split=0.5, validation_augmentation_enabled=False
    )
    said = {
        subset: generator.flow_from_directory(class_folder, subset=subset).preview().info["notice"]
        for subset in ("training", "validation")
    }
    assert said["training"] == ""
    assert "validation_augmentation_enabled=False" in said["validation"]


def test_the_notice_is_drawn(coffee: Pixels) -> None:
    plain = preview(ImageDataGenerator(), coffee, versions=1)
    flipped = preview(ImageDataGenerator(horizontal_flip=True), coffee, versions=1)
    assert plain.height > flipped.height


# Colours


def test_colours_are_distinct() -> None:
    colours = [distinct_colour(number) for number in range(64)]
    assert len(set(colours)) == 64
    near = [np.abs(np.subtract(a, b)).sum() for i, a in enumerate(colours[:20]) for b in colours[:i]]
    assert min(near) > 30


def test_classes_keep_their_colours(class_folder: Path) -> None:
    """Whichever of them a sheet shows."""
    generator = ImageDataGenerator(horizontal_flip=True)
    for number, name in enumerate(sorted(CLASSES)):
        shown = preview(generator, class_folder, samples=FILE_COUNT, versions=1)
        flow = generator.flow_from_directory(class_folder)
        assert flow.class_indices[name] == number
        assert _has(shown, distinct_colour(number), 6 * 20), "a bar beside each row"
    assert not _has(shown, distinct_colour(len(CLASSES)), 60)


def _has(sheet: Image.Image, colour: tuple[int, int, int], pixels: int) -> bool:
    return int(np.all(np.asarray(sheet) == colour, axis=2).sum()) >= pixels


def test_labels_keep_their_colours() -> None:
    assert label_colours([0, 1, 3]) == {1: distinct_colour(0), 3: distinct_colour(2)}
    assert label_colours([0, 255]) == {255: distinct_colour(0)}
    assert label_colours([0, 0.5, 1]) is None
    assert label_colours(list(range(200))) is None
    assert label_colours([0]) == {}


@pytest.mark.parametrize("kind", ["labels", "measured"])
def test_a_legend_explains_masks(tmp_path: Path, coffee: Pixels, kind: str) -> None:
    Image.fromarray(coffee).save(tmp_path / "x.png")
    mask = np.zeros(coffee.shape[:2], np.uint8)
    mask[10:40, 10:40], mask[50:80, 10:40] = 1, 2
    if kind == "measured":
        mask = np.tile(np.arange(mask.shape[1], dtype=np.uint8), (len(mask), 1))
    Image.fromarray(mask).save(tmp_path / "y.png")
    frame = pd.DataFrame({"x": ["x.png"], "y": ["y.png"]})
    flow = ImageDataGenerator(horizontal_flip=True).flow_from_dataframe(
        frame, tmp_path, x_col="x", y_col="y", class_mode="image", target_size=coffee.shape[:2]
    )
    sheet = flow.preview(versions=1)
    notes = " ".join(sheet.info["notes"])
    if kind == "measured":
        assert f"from 0 to {mask.max()}" in notes
    else:
        assert "mask:" in notes
        assert _has(sheet, distinct_colour(0), 80)
        assert _has(sheet, distinct_colour(1), 80)


# Values


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A file of 12 bits in 16."""
    levels = np.linspace(0, 4095, 64 * 80).reshape(64, 80).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    return tmp_path / "deep.png"


@pytest.mark.filterwarnings("ignore:IL101")
def test_clipped_files_of_16_bits_are_told(deep: Path) -> None:
    sheet = preview(ImageDataGenerator(horizontal_flip=True), deep, versions=1)
    assert "values above 255 become 255" in " ".join(sheet.info["notes"])
    assert "94%" in " ".join(sheet.info["notes"])


def test_files_of_16_bits_are_shown_as_the_model_sees_them(deep: Path) -> None:
    generator = ImageDataGenerator(horizontal_flip=True, rescale=1 / 255)
    notes = " ".join(preview(generator, deep, color_mode="grayscale").info["notes"])
    assert "0 (black) to 4095 (white)" in notes
    assert "the model sees up to 16.1" in notes
    assert "become 255" not in notes


def test_usual_values_need_no_words(coffee: Pixels, tmp_path: Path) -> None:
    white = np.full_like(coffee, 255)
    Image.fromarray(white).save(tmp_path / "white.png")
    generator = ImageDataGenerator(horizontal_flip=True, rescale=1 / 255)
    for images in (coffee, coffee / 255, tmp_path):
        assert preview(generator, images, versions=1).info["notes"] == []


# Images by URL


def test_images_by_url(class_folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in sorted(class_folder.rglob("*.*")):
            archive.write(path, path.relative_to(class_folder))
    generator = ImageDataGenerator(rotation_range=20)

    def told(images: Any) -> list[Any]:
        versions = preview(generator, images, samples=3, versions=2).info["versions"]
        return [(v["file"].rpartition("/")[2], v["parameters"]) for v in versions]

    url = f"zip://{{}}::{tmp_path / 'x.zip'}"
    assert told(url.format("")) == told(class_folder)
    assert told(url.format("coffee")) == told(class_folder / "coffee")
    one = class_folder / "coffee" / "one.png"
    assert [params for _, params in told(url.format("coffee/one.png"))] == [p for _, p in told(one)]
    with pytest.raises(MissingDirectoryError):
        ImageDataGenerator().flow_from_directory(url.format("nothing"))
