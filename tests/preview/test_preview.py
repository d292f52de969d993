"""Sheets: what `it.preview()` and `preview(gen, images)` show, and that they move nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import AUGMENTED
from pictures import CLASSES, FILE_COUNT
from PIL import Image
from sheets import ACCENT, FAINT, SIZE, Pixels, frames, one_file

from imageloom import BadImageError, ImageDataGenerator, preview
from imageloom._preview.pictures import grey_range, overlay, picture
from imageloom._preview.samples import make_preview_images, pick_samples

# What is shown


@pytest.mark.parametrize("hook", [None, lambda x: x[:, ::-1] / 127.5 - 1], ids=["plain", "hook"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_versions_are_what_batches_hold(class_folder: Path, hook: Any, data_format: str) -> None:
    """All of the pipeline but the normalisation, noise and the hook included."""
    options = {
        **AUGMENTED, "rescale": None, "geometry": "corrected", "preprocessing_function": hook,
        "data_format": data_format,
    }  # fmt: skip
    flow = one_file(class_folder / "coffee" / "four.jpg", target_size=(40, 60))
    normalising = ImageDataGenerator(
        **options, samplewise_center=True, samplewise_std_normalization=True, executor="serial"
    )
    it = flow(normalising)
    (shown,) = make_preview_images(
        it._plan.recipe(normalising._freeze(), it.batch_size), it._plan.source, [0], versions=4, seed=7
    )
    assert len({version.seed for version in shown.versions}) == 4
    for version in shown.versions:
        plain = ImageDataGenerator(**options, executor="serial")
        with flow(plain, seed=version.seed, shuffle=False) as batches:
            expected = next(batches)[0][0]
        shown = version.image if data_format == "channels_last" else np.moveaxis(version.image, -1, 0)
        np.testing.assert_array_equal(shown, expected)
        assert version.params is not None


def test_the_parameters_told_are_those_applied(coffee: Pixels) -> None:
    generator = ImageDataGenerator(rotation_range=40, zoom_range=0.3, horizontal_flip=True)
    sheet = preview(generator, coffee, versions=6)
    shown = frames(sheet, FAINT, SIZE)
    assert len(shown) == len(sheet.info["versions"]) == 6
    for pixels, told in zip(shown, sheet.info["versions"], strict=True):
        turned = generator.apply_transform(coffee.astype("float32"), told["parameters"])
        np.testing.assert_array_equal(pixels, np.rint(turned))
    (original,) = frames(sheet, ACCENT, SIZE)
    np.testing.assert_array_equal(original, coffee)


@pytest.mark.slow
def test_the_same_seed_draws_the_same_sheet(class_folder: Path) -> None:
    generator = ImageDataGenerator(**AUGMENTED)
    first, again, other = (preview(generator, class_folder, seed=seed) for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    more = preview(generator, class_folder, seed=3, versions=6).info["versions"]
    assert [v for i, v in enumerate(more) if i % 6 < 5] == first.info["versions"]


def test_classes_are_shown_evenly(class_folder: Path) -> None:
    it = ImageDataGenerator().flow_from_directory(class_folder)
    for count in (2, 4, 6, FILE_COUNT, FILE_COUNT + 5):
        picked = pick_samples(it._plan.source, count)
        assert len(set(picked)) == len(picked) == min(count, FILE_COUNT)
        assert len({it.classes[i] for i in picked}) == min(count, len(CLASSES))


@pytest.mark.parametrize(
    ("hook", "note"),
    [
        (lambda x: x / 127.5 - 1, True),
        (lambda x: x / 255, True),
        (lambda x: x, False),
        (lambda x: x.astype("uint8"), False),
    ],
)
def test_what_hooks_return_is_shown_on_its_own_scale(coffee: Pixels, hook: Any, note: bool) -> None:
    sheet = preview(ImageDataGenerator(preprocessing_function=hook), coffee, versions=1)
    (version,) = frames(sheet, FAINT, SIZE)
    np.testing.assert_allclose(version.astype(int), coffee, atol=1)
    plain = preview(ImageDataGenerator(preprocessing_function=lambda x: x), coffee, versions=1)
    assert (sheet.tobytes() != plain.tobytes()) == note  # the footnote says what is black and white


@pytest.mark.parametrize("scale", [1, 255, 65535])
def test_arrays_are_shown_on_their_own_scale(coffee: Pixels, scale: int) -> None:
    array = coffee / 255 if scale == 1 else (coffee.astype("uint32") * scale // 255).astype("uint16")
    sheet = preview(ImageDataGenerator(), array, versions=1)
    for colour in (ACCENT, FAINT):
        (shown,) = frames(sheet, colour, SIZE)
        expected = coffee if scale != 65535 else coffee * (255 / coffee.max())
        np.testing.assert_allclose(shown.astype(int), expected, atol=1)


def test_ranges_of_values() -> None:
    def of(*values: float) -> tuple[float, float]:
        return grey_range([np.array([[values]], np.float32)])

    assert grey_range([np.full((2, 2, 3), 7, np.uint8)]) == (0, 255)
    assert of(0, 0.4, 1) == of(-0.02, 1.04) == of(0) == (0, 1)
    assert of(-0.9, 0.3) == (-1, 1)
    assert of(0, 3) == of(-9, 260) == (0, 255)
    assert of(-124, 151) == (-124, 151)
    assert of(np.nan, 0.5) == (0, 1)


def test_small_images_keep_their_hard_edges(grey_photo: Pixels) -> None:
    small = grey_photo[:20, :24, 0]
    sheet = preview(ImageDataGenerator(), small, versions=1)
    (shown,) = frames(sheet, ACCENT, (200, 240))
    np.testing.assert_array_equal(shown[::10, ::10, 0], small)
    np.testing.assert_array_equal(shown, np.repeat(np.repeat(shown[::10, ::10], 10, 0), 10, 1))


def test_transparent_pixels_lie_on_a_chequered_ground(coffee: Pixels) -> None:
    alpha = np.zeros((*coffee.shape[:2], 1), np.uint8)
    alpha[:, 120:] = 255
    shown = np.asarray(picture(np.concatenate([coffee, alpha], axis=2), (0, 255)))
    np.testing.assert_array_equal(shown[:, 120:], coffee[:, 120:])
    assert set(map(tuple, shown[:, :120].reshape(-1, 3))) == {(255,) * 3, (226,) * 3}
    sheet = preview(ImageDataGenerator(), np.concatenate([coffee, alpha], axis=2), versions=2)
    assert len(frames(sheet, ACCENT, SIZE)) == 1


def test_images_of_all_sizes_and_modes(class_folder: Path) -> None:
    generator = ImageDataGenerator(rotation_range=20)
    for mode in ("rgb", "rgba", "grayscale"):
        sheet = preview(generator, class_folder, samples=FILE_COUNT, versions=2, color_mode=mode)
        assert len(sheet.info["versions"]) == 2 * FILE_COUNT


def test_masks_lie_over_their_images(tmp_path: Path, grey_photo: Pixels) -> None:
    image = Image.fromarray(grey_photo[..., 0]).resize((240, 120))
    mask = np.zeros((120, 240), np.uint8)
    mask[20:60, 30:100], mask[70:90, 150:200] = 1, 2
    image.save(tmp_path / "x.png")
    Image.fromarray(mask).save(tmp_path / "y.png")
    frame = pd.DataFrame({"x": ["x.png"], "y": ["y.png"]})
    it = ImageDataGenerator(
        horizontal_flip=True, rotation_range=30, geometry="corrected"
    ).flow_from_dataframe(
        frame, tmp_path, x_col="x", y_col="y", class_mode="image", target_size=(120, 240)
    )
    sheet = it.preview(versions=3)
    stored = frames(sheet, ACCENT, (120, 240))
    assert len(stored) == 2
    np.testing.assert_array_equal(stored[0][..., 0], np.asarray(image))
    coloured = np.ptp(stored[1].astype(int), axis=2) > 0
    np.testing.assert_array_equal(coloured, mask > 0)
    shown = frames(sheet, FAINT, (120, 240))
    assert len(shown) == 6
    for masked, told in zip(shown[3:], sheet.info["versions"], strict=True):
        turned = ImageDataGenerator(interpolation_order=0, geometry="corrected").apply_transform(
            mask[..., None].astype("float32"), told["parameters"]
        )
        np.testing.assert_array_equal(np.ptp(masked.astype(int), axis=2) > 0, turned[..., 0] > 0)


def test_masks_of_measurements_are_stronger_where_they_are_higher(grey_photo: Pixels) -> None:
    ground = Image.fromarray(grey_photo)
    depth = np.tile(np.linspace(0, 1, 120, dtype=np.float32), (90, 1))[..., None]
    shown = np.asarray(overlay(ground, depth, np.unique(depth).tolist())).astype(int)
    grey = np.asarray(ground.convert("L")).astype(int)
    np.testing.assert_array_equal(shown[:, 0], np.repeat(grey[:, :1], 3, axis=1))
    share = (shown[..., 0] - grey) / np.maximum(213 - grey, 1)
    assert (np.diff(share[:, ::30].mean(axis=0)) > 0.05).all()


def test_each_image_of_a_sample_has_its_row(class_folder: Path) -> None:
    pair = ("coffee/one.png", "coffee/four.jpg")
    it = ImageDataGenerator(rotation_range=20).flow_from_directory(
        class_folder,
        classes=["coffee"],
        list_valid_filenames_in_directory_function=lambda search_class, **_: (search_class, [pair]),
    )
    told = it.preview(versions=2).info["versions"]
    assert [version["file"] for version in told] == [pair[0], pair[0], pair[1], pair[1]]
    assert told[0]["parameters"] != told[2]["parameters"], "each image is turned by its own"


def test_unreadable_files_are_told(tmp_path: Path, coffee: Pixels) -> None:
    Image.fromarray(coffee).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    sheet = preview(ImageDataGenerator(), tmp_path, versions=2)
    assert len(frames(sheet, ACCENT, SIZE)) == 1
    assert len(sheet.info["versions"]) == 2
    with pytest.raises(BadImageError, match=r"bad\.png"):
        preview(ImageDataGenerator(), tmp_path / "bad.png")


def test_without_random_transforms_there_are_no_parameters(class_folder: Path) -> None:
    generator = ImageDataGenerator(
        rotation_range=90, validation_split=0.5, validation_augmentation_enabled=False
    )
    told = {
        subset: generator.flow_from_directory(class_folder, subset=subset).preview().info["versions"]
        for subset in ("training", "validation")
    }
    assert all(version["parameters"] is None for version in told["validation"])
    assert all(version["parameters"]["theta"] for version in told["training"])


def test_the_users_own_methods_are_shown(coffee: Pixels) -> None:
    class Own(ImageDataGenerator):
        def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
            return {"flip_vertical": True, "strength": float(np.random.uniform(1, 2))}

    class Whole(ImageDataGenerator):
        def random_transform(self, x: Any, seed: Any = None) -> Any:
            return x[:, ::-1]

    sheet = preview(Own(), coffee, versions=2)
    for shown in frames(sheet, FAINT, SIZE):
        np.testing.assert_array_equal(shown, coffee[::-1])
    first, second = (version["parameters"]["strength"] for version in sheet.info["versions"])
    assert 1 < first != second < 2
    sheet = preview(Whole(), coffee, versions=1)
    np.testing.assert_array_equal(frames(sheet, FAINT, SIZE)[0], coffee[:, ::-1])
    assert sheet.info["versions"][0]["parameters"] is None
