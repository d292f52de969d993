"""What an image looks like: blank or not, sharp or not, and the same after small changes."""

from __future__ import annotations

import numpy as np
import pytest
from altered_copies import COPIES, NAMES, Pixels, encoded, whole_photograph
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imageloom._imaging.look import Look, look_at


def look(image: Image.Image | NDArray[np.generic]) -> Look:
    found = look_at(np.asarray(image))
    assert found is not None
    return found


def distance(one: Look, other: Look) -> int:
    assert one.bits is not None
    assert other.bits is not None
    return (one.bits ^ other.bits).bit_count()


@pytest.mark.parametrize("kind", COPIES)
def test_the_hash_of_a_copy_is_close(kind: str) -> None:
    distances = [
        distance(look(whole_photograph(name)), look(COPIES[kind](whole_photograph(name))))
        for name in NAMES
    ]
    assert max(distances) <= 12
    assert np.median(distances) <= 4


def test_hashes_of_different_photographs_are_far() -> None:
    looks = [look(whole_photograph(name)) for name in NAMES]
    distances = [distance(one, other) for i, one in enumerate(looks) for other in looks[:i]]
    assert min(distances) > 12
    assert 28 < np.mean(distances) < 36


@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(5, 95), st.integers(0, 9))
def test_one_colour_is_blank_whatever_the_encoder(
    colour: tuple[int, int, int], quality: int, seed: int
) -> None:
    image = Image.new("RGB", (90, 70), colour)
    assert look(image) == Look(blank=True)
    assert look(encoded(image, quality=quality)).blank
    noise = np.random.default_rng(seed).normal(0, 1, (70, 90, 3))
    noisy = np.clip(np.rint(np.asarray(image) + noise), 0, 255).astype(np.uint8)
    assert look(encoded(Image.fromarray(noisy), quality=max(40, quality))).blank


def dot(side: int) -> Pixels:
    pixels = np.zeros((600, 800), np.uint8)
    pixels[300 : 300 + side, 200 : 200 + side] = 255
    return pixels


@pytest.mark.parametrize(
    "pixels",
    [
        dot(5),
        np.tile(np.linspace(100, 130, 64).astype(np.uint8), (64, 1)),
        (np.indices((8, 8)).sum(axis=0) % 2 * 40 + 100).astype(np.uint8),
        np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8),
        np.tile(np.array([[200, 0, 0], [0, 102, 0]], np.uint8), (20, 10, 1)),  # of equal brightness
        np.linspace(0, 1, 900).reshape(30, 30),
        np.linspace(-1, 1, 900).reshape(30, 30),
        np.linspace(0, 65535, 900).reshape(30, 30).astype(np.uint16),
        np.linspace(0, 4095, 900).reshape(30, 30).astype(np.int32),
        np.eye(20, dtype=bool),
    ],
)
def test_what_is_not_blank(pixels: NDArray[np.generic]) -> None:
    assert not look(pixels).blank


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float16, np.float64])
@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 1), (40, 30, 3), (40, 30, 4), (1, 1)])
def test_zeros_of_all_kinds_are_blank(shape: tuple[int, ...], dtype: type) -> None:
    assert look(np.zeros(shape, dtype)).blank


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(5),
        np.zeros((2, 3, 4, 3)),
        np.zeros((4, 4, 7)),
        np.zeros((0, 4)),
        np.full((4, 4), np.nan),
        np.array([[-1e308, 1e308]]),
        np.array([[-3e38, 3e38]]),
        np.array([[0, np.inf]]),
    ],
)
def test_what_is_no_image_has_no_look(array: NDArray[np.float64]) -> None:
    assert look_at(array) is None


@pytest.mark.parametrize(
    "shape", [(1, 40000), (40000, 1, 3), (2, 3, 3), (321, 1), (16, 5000, 3), (31, 32)]
)
@pytest.mark.parametrize("dtype", [np.uint8, ">u2", "<f8"])
def test_images_of_any_shape_are_looked_at(shape: tuple[int, ...], dtype: str) -> None:
    noise = 250 * np.random.default_rng(1).random(shape)
    found = look(noise.astype(dtype))
    assert not found.blank
    assert (found.bits is None) == (min(shape[:2]) < 16)


def test_alpha_does_not_count() -> None:
    image = whole_photograph("coffee")
    clear = image.copy()
    clear.putalpha(0)
    assert distance(look(image), look(clear)) == 0


@pytest.mark.parametrize("scale", [1, 3])
def test_blur_lessens_the_sharpness_at_any_size(scale: int) -> None:
    faint = {"brick", "grass", "gravel", "moon"}  # too little contrast is left of them
    for name in set(NAMES) - faint:
        image = whole_photograph(name).resize((400 * scale, 300 * scale), Image.Resampling.BICUBIC)
        sharp = look(image).sharpness
        soft = look(image.filter(ImageFilter.GaussianBlur(5 * scale))).sharpness
        assert sharp is not None
        assert soft is not None
        assert sharp > 9, name
        assert soft < 3, name


def test_contrast_does_not_make_sharp() -> None:
    image = whole_photograph("camera")
    faint = image.point([128 + (level - 128) // 3 for level in range(256)] * 3)
    assert (look(faint).sharpness or 0) > 20, "the variance of the Laplacian is a ninth"
    fainter = image.point([128 + (level - 128) // 16 for level in range(256)] * 3)
    assert look(fainter).sharpness is None


def test_small_images_are_not_compared() -> None:
    small = look(whole_photograph("coffee").resize((15, 15)))
    assert small == Look(blank=False)
