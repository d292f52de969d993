"""What all further steps have in common: own streams, layouts, dtypes, masks, and their checks."""

from __future__ import annotations

import io
import json
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageloom import ImageDataGenerator

STEPS: Final[dict[str, Any]] = {
    "random_crop": {"scale": (0.2, 0.7)},
    "perspective": {"factor": (1, 1), "scale": 0.3},
    "elastic": {"factor": (1, 1)},
    "rand_augment": (2, 0.4),
    "hue_range": (0.2, 0.5),
    "saturation_range": (0.1, 0.3),
    "grayscale": 1.0,
    "blur": {"factor": (1, 1), "sigma": (0.6, 2), "kernel_size": 5},
    "jpeg_quality_range": (5, 30),
    "random_erasing": (1, 1),
}
KEYS: Final = {
    "hue_range": "hue",
    "saturation_range": "saturation",
    "jpeg_quality_range": "jpeg_quality",
}
USUAL: Final[dict[str, Any]] = {
    "rotation_range": 20, "width_shift_range": 0.1, "zoom_range": 0.2, "horizontal_flip": True,
    "brightness_range": (0.5, 1.5), "contrast_range": (0.5, 1.5), "noise": ["gauss", "s&p"],
}  # fmt: skip


def picture(channels: int = 3, dtype: str = "float32") -> NDArray[Any]:
    rows, columns = np.mgrid[:24, :30]
    waves = [
        128 + 90 * np.sin(rows / (3 + c)) + 30 * np.cos(columns / (2 + c)) for c in range(channels)
    ]
    return np.stack(waves, axis=-1).astype(dtype)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_moves_no_other_number(name: str) -> None:
    before, after = ImageDataGenerator(**USUAL), ImageDataGenerator(**USUAL, **{name: STEPS[name]})
    everything = ImageDataGenerator(**USUAL, **STEPS)
    key = KEYS.get(name, name)
    for seed in range(5):
        usual = before.get_random_transform((24, 30, 3), seed)
        drawn = after.get_random_transform((24, 30, 3), seed)
        assert {**usual, key: drawn[key]} == drawn
        assert everything.get_random_transform((24, 30, 3), seed)[key] == drawn[key]
        assert json.loads(json.dumps(drawn[key])) == drawn[key]
    np.random.seed(4)
    usual = before.get_random_transform((24, 30, 3))
    state = np.random.get_state()[1:3]
    np.random.seed(4)
    drawn = after.get_random_transform((24, 30, 3))
    assert {**usual, key: drawn[key]} == drawn
    assert all(np.array_equal(*pair) for pair in zip(state, np.random.get_state()[1:3], strict=True))


@pytest.mark.parametrize("name", STEPS)
def test_all_layouts_and_channels_agree(name: str) -> None:
    last = ImageDataGenerator(**{name: STEPS[name]})
    first = ImageDataGenerator(**{name: STEPS[name]}, data_format="channels_first")
    x = picture()
    for seed in range(3):
        transformed = last.random_transform(x.copy(), seed)
        assert transformed.shape == x.shape
        assert transformed.dtype == np.float32
        assert not np.array_equal(transformed, x)
        other = first.random_transform(np.moveaxis(x, -1, 0).copy(), seed)
        assert np.array_equal(np.moveaxis(other, 0, -1), transformed)
        # The fourth channel follows the geometry, and nothing of the colours.
        opaque = np.concatenate((x, np.full((*x.shape[:2], 1), 255, np.float32)), axis=2)
        both = last.random_transform(opaque, seed)
        if name != "random_erasing":  # whose noise is that of all channels
            assert np.allclose(both[..., :3], transformed, atol=1e-3)
        grey = last.random_transform(picture(1), seed)
        assert grey.shape == (24, 30, 1)
        if name in ("hue_range", "saturation_range", "grayscale"):
            assert np.array_equal(grey, picture(1))
            assert np.array_equal(both[..., 3:], opaque[..., 3:])


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "int16", "uint16", "int32"])
def test_dtypes_of_arrays(dtype: str) -> None:
    generator = ImageDataGenerator(**STEPS, dtype=dtype, executor="serial")
    reference = ImageDataGenerator(**STEPS, executor="serial")
    x = picture(dtype="uint8")[None].repeat(3, axis=0)
    ours = next(generator.flow(x.astype(dtype), batch_size=3, seed=2))
    assert ours.dtype == dtype
    theirs = next(reference.flow(x, batch_size=3, seed=2))
    difference = np.abs(ours.astype(float) - theirs)
    assert np.mean(difference > 1.5) < 0.25  # a rounded value passes through JPEG and equalization


def test_steps_in_front_of_the_hook_and_the_normalisation() -> None:
    seen: list[NDArray[Any]] = []

    def hook(x: NDArray[Any]) -> NDArray[Any]:
        seen.append(x.copy())
        return x

    generator = ImageDataGenerator(
        grayscale=1.0, rescale=1 / 255, preprocessing_function=hook, executor="serial"
    )
    batch = next(generator.flow(picture(dtype="uint8")[None], batch_size=1))
    assert seen[0].max() > 100
    assert np.ptp(seen[0], axis=-1).max() == 0
    assert np.allclose(batch[0], seen[0] / 255)


def test_chances_and_bounds() -> None:
    generator = ImageDataGenerator(
        grayscale=0.3, blur=(0.5, 0.5), hue_range=(0.2, 0.4), jpeg_quality_range=(7, 9)
    )
    drawn = [generator.get_random_transform((8, 8, 3), seed) for seed in range(500)]
    assert 0.2 < np.mean([each["grayscale"] is True for each in drawn]) < 0.4
    assert 0.4 < np.mean([each["blur"] is not None for each in drawn]) < 0.6
    hues = np.array([each["hue"] for each in drawn])
    assert 0.1 <= np.abs(hues).min() < np.abs(hues).max() <= 0.2
    assert 0.4 < np.mean(hues > 0) < 0.6
    assert {each["jpeg_quality"] for each in drawn} == {7, 8, 9}


def test_off_is_off() -> None:
    off: dict[str, Any] = dict.fromkeys(STEPS, False) | {"hue_range": None, "saturation_range": None}
    off |= {"jpeg_quality_range": None, "perspective": 0, "rand_augment": (0, 0.5), "blur": (0, 0)}
    generator = ImageDataGenerator(**off)
    assert set(generator.get_random_transform((8, 8, 3), 1)) == set(
        ImageDataGenerator().get_random_transform((8, 8, 3), 1)
    )
    assert generator._options().transform.changes_nothing
    silent = ImageDataGenerator(**STEPS, random_transforms_enabled=False)
    assert silent.random_transform(picture(), 1) is not None
    assert np.array_equal(silent.random_transform(picture(), 1), picture())


def test_arrays_have_no_target_size_to_crop() -> None:
    with pytest.raises(ValueError, match=r"random_crop=True.*`target_size`.*scale"):
        ImageDataGenerator(random_crop=True).flow(picture()[None])


def test_other_channels() -> None:
    """What moves pixels takes any number of channels, and what needs colours says so."""
    x = picture(6)
    moving = ImageDataGenerator(perspective=(1, 1), elastic=(1, 1), blur=(1, 1), random_erasing=(1, 1))
    assert moving.random_transform(x, 1).shape == x.shape
    for name in ("hue_range", "grayscale", "jpeg_quality_range"):
        with pytest.raises(ValueError, match="6 channels"):
            ImageDataGenerator(**{name: STEPS[name]}).random_transform(x, 1)


@pytest.mark.parametrize("quality", [3, 40, 75, 96])
def test_jpeg_is_that_of_pillow(quality: int) -> None:
    """The same file, and so the same pixels, but for rounding between versions of libjpeg-turbo."""
    for channels in (3, 1):
        x = picture(channels, "uint8")
        file = io.BytesIO()
        Image.fromarray(x if channels == 3 else x[..., 0]).save(file, "jpeg", quality=quality)
        theirs = np.asarray(Image.open(file), np.float32).reshape(x.shape)
        ours = ImageDataGenerator().apply_transform(x.astype("float32"), {"jpeg_quality": quality})
        assert np.abs(ours - theirs).max() <= 1
        assert np.mean(ours != theirs) < 0.01


def test_sides_that_are_too_long() -> None:
    for option, length in (({"elastic": (1, 1)}, 2**15), ({"jpeg_quality_range": 50}, 65_501)):
        with pytest.raises(ValueError, match=f"pixels a side; received 1 x {length}"):
            ImageDataGenerator(**option).random_transform(np.zeros((1, length, 3), "float32"), 1)
