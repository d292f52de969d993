"""Sheets: what `it.preview()` and `preview(gen, images)` show, and that they move nothing."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from executor_support import AUGMENTED
from numpy.typing import NDArray
from pictures import CLASSES, FILE_COUNT, photograph
from PIL import Image
from programs import run_program

import imageloom
from imageloom import (
    ArgumentTypeError,
    BadImageError,
    DirectoryIterator,
    ImageDataGenerator,
    InvalidArgumentError,
    MissingFileError,
    preview,
)
from imageloom._preview.captions import conventions, phrases
from imageloom._preview.pictures import grey_range, overlay, picture
from imageloom._preview.samples import make_specimens, pick_samples
from imageloom._preview.words import geometry_notes

Pixels = NDArray[Any]

ACCENT = (180, 83, 42)  # the frame of originals
FAINT = (111, 111, 111)  # and that of versions
SIZE = (120, 240)  # shown as it is


def frames(sheet: Image.Image, colour: tuple[int, int, int], size: tuple[int, int]) -> list[Pixels]:
    """What lies in the frames of a colour, for pictures of (height, width), row by row."""
    pixels = np.asarray(sheet)
    edge = np.all(pixels == colour, axis=2)
    height, width = size
    found = []
    for row, column in np.argwhere(edge):
        box = edge[row : row + height + 2, column : column + width + 2]
        if box.shape != (height + 2, width + 2):
            continue
        if box[0].all() and box[-1].all() and box[:, 0].all() and box[:, -1].all():
            found.append(pixels[row + 1 : row + 1 + height, column + 1 : column + 1 + width])
    return found


def one_file(file: Path, **options: Any) -> Callable[..., DirectoryIterator]:
    """Makes iterators over one file alone."""

    def flow(generator: ImageDataGenerator, **more: Any) -> DirectoryIterator:
        return generator.flow_from_directory(
            file.parent.parent,
            classes=[file.parent.name],
            list_valid_filenames_in_directory_function=lambda search_class, **_: (
                search_class,
                [f"{search_class}/{file.name}"],
            ),
            **options,
            **more,
        )

    return flow


@pytest.fixture
def coffee(colour_photo: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(colour_photo).resize((240, 120)))


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
    (specimen,) = make_specimens(it.recipe(normalising.frozen()), it.source, [0], versions=4, seed=7)
    assert len({version.seed for version in specimen.versions}) == 4
    for version in specimen.versions:
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
        picked = pick_samples(it.source, count)
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


def test_masks_with_many_numbers_are_shown_in_grey(grey_photo: Pixels) -> None:
    ground = Image.fromarray(grey_photo)
    depth = grey_photo[..., :1].astype(np.float32)
    shown = np.asarray(overlay(ground, depth, np.unique(depth).tolist()))
    assert (np.ptp(shown.astype(int), axis=2) == 0).all()
    assert shown.min() == 0
    assert shown.max() == 255


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


# Captions


def turned(**params: float) -> tuple[float, float, float, float]:
    """Where a small white square right of and above the middle goes: centre, height and width."""
    image = np.zeros((101, 101, 1), np.float32)
    image[30:34, 60:64] = 255
    generator = ImageDataGenerator(fill_mode="constant")
    rows, columns = np.nonzero(generator.apply_transform(image, params)[..., 0] > 100)
    return rows.mean(), columns.mean(), float(np.ptp(rows)) + 1, float(np.ptp(columns)) + 1


@pytest.mark.parametrize("geometry", ["keras", "corrected"])
def test_captions_say_what_one_sees(geometry: str) -> None:
    row, column, height, width = turned()
    assert phrases({"tx": -7, "ty": 3.2}) == ["shift +7, -3"]
    assert turned(tx=-7, ty=3)[:2] == (row - 3, column + 7)
    assert phrases({"theta": 90}) == ["rotate +90.0\N{DEGREE SIGN}"]
    up, right = 50 - row, column - 50
    assert turned(theta=90)[:2] == pytest.approx((50 - right, 50 - up)), "anticlockwise"
    assert phrases({"zx": 0.5, "zy": 1}) == ["zoom 2.00, 1.00"]
    assert turned(zx=0.5)[2:] == pytest.approx((height, 2 * width), abs=1)
    assert phrases({"shear": 20}) == ["shear +20.0\N{DEGREE SIGN}"]
    assert turned(shear=20)[1] < column, "what is above the middle goes left, what is below right"
    # Whatever the geometry, what was drawn is applied alike.
    generator = ImageDataGenerator(width_shift_range=[9.0], geometry=geometry)
    params = generator.get_random_transform((60, 60, 3), seed=1)
    (phrase,) = phrases(params)
    moved = re.fullmatch(r"shift (0|[+-]9), (0|[+-]9)", phrase)
    assert moved
    assert (moved[1] == "0") == (geometry == "keras")


def test_captions_of_everything_else() -> None:
    generator = ImageDataGenerator()
    assert phrases(generator.default_transform) == ["unchanged"]
    assert phrases({}) == ["unchanged"]
    assert phrases(None) == ["no random transform"]
    found = phrases(
        {
            "theta": 3, "flip_horizontal": True, "flip_vertical": True, "brightness": 1.234,
            "channel_shift_intensity": -12.4, "contrast": 0.5, "noise": imageloom.Noise("s&p"),
            "mine": 0.12345,
        }
    )  # fmt: skip
    assert found == [
        "rotate +3.0\N{DEGREE SIGN}", "channels -12", "flip both", "brightness 1.23", "contrast 0.50",
        "s&p noise", "mine 0.123",
    ]  # fmt: skip
    assert [text.split(":")[0] for text in conventions(found)] == ["rotate", "channels"]


def test_keras_exchanged_shifts_are_told() -> None:
    def notes(**options: Any) -> list[str]:
        return geometry_notes(ImageDataGenerator(**options))

    (note,) = notes(width_shift_range=0.2)
    assert "width_shift_range moves images up and down" in note
    assert notes(width_shift_range=[1, 2], height_shift_range=(1, 2, 3))
    assert not notes(width_shift_range=0.2, height_shift_range=0.2)
    assert not notes(width_shift_range=0.2, geometry="corrected")


# What may be given


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
