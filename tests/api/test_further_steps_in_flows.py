"""Further steps in batches: the crop out of files, masks, executors, shards, `fit` and overrides."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from ray_support import needs_ray

from imageloom import ImageDataGenerator
from imageloom._imaging.augment.steps.crop import crop, draw_crop
from imageloom._options.steps import Crop

SIZE: Final = (40, 52)
STEPS: Final[dict[str, Any]] = {
    "random_crop": {"scale": (0.2, 0.7)}, "perspective": {"factor": (1, 1), "scale": 0.3},
    "elastic": (1, 1), "rand_augment": (2, 0.4), "hue_range": 0.5, "saturation_range": (0.2, 0.8),
    "grayscale": 0.3, "blur": (1, 1), "jpeg_quality_range": (5, 60), "random_erasing": (1, 1),
}  # fmt: skip
USUAL: Final[dict[str, Any]] = {"rotation_range": 20, "horizontal_flip": True, "rescale": 1 / 255}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of four images each, of several sizes, all of them larger than `SIZE`."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(2)
    for name in ("a", "b"):
        (folder / name).mkdir()
        for number in range(4):
            small = rng.integers(0, 256, (9, 11, 3), np.uint8)
            side = 70 + 9 * number
            Image.fromarray(small).resize((side + 20, side)).save(folder / name / f"{number}.png")
    return folder


def flow(folder: Path, options: Mapping[str, Any], **arguments: Any) -> Any:
    usual = {"target_size": SIZE, "batch_size": 4, "seed": 3, "interpolation": "bilinear"}
    generator = ImageDataGenerator(**{"executor": "serial", "geometry": "corrected", **options})
    return generator.flow_from_directory(folder, verbose=False, **{**usual, **arguments})


@pytest.mark.parametrize(
    "executor", ["threads", "processes", pytest.param("ray", marks=(needs_ray, pytest.mark.slow))]
)
def test_every_executor_gives_the_same_bytes(
    photos: Path, executor: str, request: pytest.FixtureRequest
) -> None:
    if executor == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    options = {**USUAL, **STEPS}
    with flow(photos, options) as serial, flow(photos, {**options, "executor": executor}) as other:
        expected = [next(serial)[0] for _ in range(4)]
        for batch in expected:
            assert np.array_equal(next(other)[0], batch)
        assert np.array_equal(other[1][0], serial[1][0])
        state = serial.state_dict()
        with flow(photos, options) as resumed:
            resumed.load_state_dict(state)
            assert np.array_equal(next(resumed)[0], next(serial)[0])
        with flow(photos, options, shard=(1, 2)) as shard:
            assert np.array_equal(next(shard)[0], expected[1])


@pytest.mark.parametrize("name", STEPS)
def test_each_step_changes_batches_and_keeps_their_form(photos: Path, name: str) -> None:
    with flow(photos, USUAL) as plain, flow(photos, {**USUAL, name: STEPS[name]}) as stepped:
        before, after = next(plain), next(stepped)
    assert after[0].shape == before[0].shape == (4, *SIZE, 3)
    assert after[0].dtype == np.float32
    assert 0 <= after[0].min() < after[0].max() < 1.00001
    assert not np.array_equal(after[0], before[0])
    assert np.array_equal(after[1], before[1])


def test_windows_of_the_target_size_keep_their_pixels(photos: Path) -> None:
    """As with Keras' `RandomCrop`, each image is a part of its file."""
    with flow(photos, {"random_crop": True}, shuffle=False, batch_size=8) as iterator:
        batches = [next(iterator)[0] for _ in range(3)]
        names = [photos / name for name in iterator.filenames]
    assert not np.array_equal(batches[0], batches[1])
    for number, name in enumerate(names):
        whole = np.asarray(Image.open(name), np.float32)
        for batch in batches:
            corners = np.argwhere((whole == batch[number][0, 0]).all(axis=2))
            windows = (whole[y : y + SIZE[0], x : x + SIZE[1]] for y, x in corners)
            assert any(np.array_equal(window, batch[number]) for window in windows)


def torchvision_window(
    draws: random.Random, shape: tuple[int, int], scale: Any, ratio: Any
) -> tuple[int, int, int, int]:
    """`RandomResizedCrop.get_params` of torchvision 0.20, with the draws of one object."""
    height, width = shape
    area = height * width
    for _ in range(10):
        target_area = area * draws.uniform(*scale)
        aspect_ratio = math.exp(draws.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w = round(math.sqrt(target_area * aspect_ratio))
        h = round(math.sqrt(target_area / aspect_ratio))
        if 0 < w <= width and 0 < h <= height:
            return draws.randint(0, height - h), draws.randint(0, width - w), h, w
    in_ratio = width / height
    if in_ratio < min(ratio):
        w, h = width, round(width / min(ratio))
    elif in_ratio > max(ratio):
        w, h = round(height * max(ratio)), height
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w


class _SameDraws(random.Random):
    """Replaces a generator of NumPy with the draws of Python's, of which torchvision's are made."""

    def integers(self, low: int, end: int) -> int:
        return self.randint(low, end - 1)


@pytest.mark.parametrize("ratio", [(3 / 4, 4 / 3), (1.0, 1.0), (3.0, 4.0)])
def test_windows_of_an_area_are_those_of_torchvision(ratio: tuple[float, float]) -> None:
    image = np.random.default_rng(7).integers(0, 256, (60, 50, 3), np.uint8)
    for seed in range(30):
        ours: Any = _SameDraws(seed)
        drawn = draw_crop(ours, Crop((0.1, 1.0), ratio), (60, 50), SIZE)
        top, left, h, w = torchvision_window(random.Random(seed), (60, 50), (0.1, 1.0), ratio)
        assert [drawn[key] for key in ("top", "left", "height", "width")] == [top, left, h, w]
        part = Image.fromarray(image).crop((left, top, left + w, top + h))
        for method in ("nearest", "bilinear", "bicubic"):
            theirs = part.resize((SIZE[1], SIZE[0]), Image.Resampling[method.upper()])
            found = crop(image, drawn, interpolation=method).astype(int)
            assert np.abs(found - np.asarray(theirs)).max() <= (method == "bilinear")


MOVING: Final = {name: STEPS[name] for name in ("random_crop", "perspective", "elastic")}


@pytest.mark.parametrize("name", [*MOVING, "all"])
def test_masks_have_the_geometry_of_their_images(photos: Path, name: str) -> None:
    """A grey image that is its own mask stays its own mask, if nothing is blended."""
    steps = MOVING if name == "all" else {name: MOVING[name]}
    grey = photos.parent / "grey.png"
    Image.open(photos / "a" / "3.png").convert("L").save(grey)
    frame = pd.DataFrame({"image": [str(grey)] * 3, "mask": [str(grey)] * 3})
    generator = ImageDataGenerator(
        executor="serial",
        interpolation_order=0,
        fill_mode="constant",
        rotation_range=30,
        geometry="corrected",
        **steps,
    )
    arguments: dict[str, Any] = {
        "x_col": "image", "y_col": "mask", "class_mode": "image", "color_mode": "grayscale",
        "target_size": SIZE, "batch_size": 3, "seed": 4, "interpolation": "nearest",
    }  # fmt: skip
    images, masks = next(generator.flow_from_dataframe(frame, verbose=False, **arguments))
    assert np.array_equal(images, masks)
    assert not np.array_equal(images[0], images[1])
    # Colours and what erases leave masks alone.
    for option in ("jpeg_quality_range", "random_erasing", "blur"):
        setattr(generator, option, STEPS[option])
    other, same = next(generator.flow_from_dataframe(frame, verbose=False, **arguments))
    assert np.array_equal(same, masks)
    assert not np.array_equal(other, images)


def test_without_random_transforms_images_are_resized(photos: Path) -> None:
    plain = {"rescale": 1 / 255, "validation_split": 0.5}
    crops = {**plain, "random_crop": True, "validation_augmentation_enabled": False}
    for options in (crops, {**plain, "random_crop": True, "random_transforms_enabled": False}):
        ours, theirs = (flow(photos, each, subset="validation") for each in (options, plain))
        assert np.array_equal(next(ours)[0], next(theirs)[0])


def test_a_cache_says_that_it_keeps_nothing(photos: Path) -> None:
    options = {"random_crop": True, "cache": "memory"}
    with pytest.warns(UserWarning, match="`random_crop` cuts windows out of images at their own sizes"):
        cached = next(flow(photos, options))[0]
    assert np.array_equal(cached, next(flow(photos, {"random_crop": True}))[0])


def test_a_hook_before_the_transforms_sees_the_whole_image(photos: Path) -> None:
    seen = set()

    def look(x: NDArray[Any]) -> NDArray[Any]:
        seen.add(x.shape)
        return x

    with flow(photos, {"random_crop": True, "noaug_preprocessing_function": look}) as iterator:
        batch = next(iterator)[0]
    assert batch.shape == (4, *SIZE, 3)
    assert seen <= {(70 + 9 * n, 90 + 9 * n, 3) for n in range(4)}
    with flow(photos, {"random_crop": True}) as without:
        assert np.array_equal(next(without)[0], batch)


class Overriding(ImageDataGenerator):
    def get_random_transform(self, img_shape: Any, seed: Any = None) -> dict[str, Any]:
        return super().get_random_transform(img_shape, seed)

    def apply_transform(self, x: NDArray[Any], transform_parameters: Any) -> NDArray[Any]:
        assert x.shape == (*SIZE, 3)
        return super().apply_transform(x, transform_parameters)


def test_overridden_methods_get_the_cropped_image_and_the_parameters(photos: Path) -> None:
    options = {**STEPS, "executor": "serial"}
    usual = {"target_size": SIZE, "batch_size": 4, "seed": 3, "interpolation": "bilinear"}
    ours = Overriding(**options).flow_from_directory(photos, verbose=False, **usual)
    with flow(photos, STEPS) as plain:
        assert np.array_equal(next(ours)[0], next(plain)[0])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_fit_sees_the_steps(photos: Path, data_format: str) -> None:
    options = {**STEPS, "featurewise_center": True, "executor": "serial", "data_format": data_format}
    means = []
    for steps in ({}, {"random_crop": None}, {"hue_range": None, "grayscale": None}):
        generator = ImageDataGenerator(**{**options, **steps})
        iterator = generator.flow_from_directory(
            photos, target_size=SIZE, batch_size=4, verbose=False, shuffle=False
        )
        generator.fit(iterator, augment=True, seed=1, verbose=False)
        means.append(generator.mean)
    assert not np.array_equal(means[0], means[1])
    assert not np.array_equal(means[0], means[2])
    x = np.random.default_rng(1).integers(0, 256, (4, *SIZE, 3)).astype("float32")
    x = np.moveaxis(x, -1, 1) if data_format == "channels_first" else x
    generator = ImageDataGenerator(**options)
    generator.fit(x, augment=True, seed=1)
    assert generator.mean is not None
    assert np.isfinite(generator.mean).all()


def test_previews_name_the_steps(photos: Path) -> None:
    sheet = flow(photos, {**STEPS, "rotation_range": 20}).preview(samples=2, versions=2)
    assert sheet.size > (100, 100)


@pytest.mark.parametrize("name", ["perspective", "elastic", "grayscale", "blur", "random_erasing"])
def test_a_step_that_never_happens_changes_no_pixel(photos: Path, name: str) -> None:
    """It takes other ways through the same steps, which round otherwise in float32."""
    options = {**USUAL, "zoom_range": 0.2, "contrast_range": (0.5, 1.5), "noise": ["gauss", "s&p"]}
    never = 1e-12 if name == "grayscale" else (1e-12, 1e-12)
    with flow(photos, options) as plain, flow(photos, {**options, name: never}) as stepped:
        assert np.allclose(next(plain)[0], next(stepped)[0], atol=1e-5)


def test_the_window_of_all_is_the_resized_image(photos: Path) -> None:
    for name in ("a/0.png", "b/3.png"):
        with Image.open(photos / name) as image:
            width, height = image.size
        frame = pd.DataFrame({"file": [str(photos / name)]})
        arguments: dict[str, Any] = {
            "x_col": "file", "class_mode": None, "target_size": SIZE, "interpolation": "bilinear",
        }  # fmt: skip
        ratio = width / height
        whole = ImageDataGenerator(
            random_crop={"scale": (1, 1), "ratio": (ratio, ratio)}, executor="serial"
        )
        usual = ImageDataGenerator(executor="serial")
        batches = [
            next(each.flow_from_dataframe(frame, verbose=False, seed=1, **arguments))
            for each in (whole, usual)
        ]
        assert np.array_equal(*batches)
