"""What is gathered piece by piece is what NumPy finds of the whole."""

from __future__ import annotations

import functools
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from programs import run_program

from imageloom import ImageDataGenerator
from imageloom._api import streamed_fit
from imageloom._errors import InvalidArgumentError
from imageloom._imaging import moments
from imageloom._imaging.moments import FeatureMoments, OuterProducts, whitening_of_products
from imageloom._preview import progress

Doubles = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(["uint8", "float32", "float64"])
axes = st.sampled_from([1, 3])


def images_of(count: int, seed: int, dtype: str = "float64", offset: float = 0.0) -> NDArray[Any]:
    """(count, 3, 4, 3), which is both channels first and last; every channel has its own level."""
    rng = np.random.default_rng(seed)
    levels = rng.uniform(0, 150, (3, 1, 3))
    images = (levels + rng.uniform(0, 100, (count, 3, 4, 3)) + offset).astype(dtype)
    assert images.shape == (count, 3, 4, 3)
    return images


def assert_close(found: FeatureMoments, expected: FeatureMoments, rtol: float = 1e-9) -> None:
    assert found.count == expected.count
    np.testing.assert_allclose(found.mean, expected.mean, rtol=rtol)
    np.testing.assert_allclose(found.squares, expected.squares, rtol=rtol)


def assert_that_of_numpy(found: FeatureMoments, images: NDArray[Any], channel_axis: int) -> None:
    channels = np.moveaxis(images.astype(np.float64), channel_axis, 0).reshape(3, -1)
    assert found.count == channels.shape[1]
    assert found.mean.dtype == found.squares.dtype == np.float64
    np.testing.assert_allclose(found.mean, channels.mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(found.squares / found.count, channels.var(axis=1), rtol=1e-9)


@settings(max_examples=60)
@given(count=st.integers(1, 9), seed=seeds, dtype=dtypes, channel_axis=axes)
def test_moments_are_the_mean_and_variance_of_numpy(
    count: int, seed: int, dtype: str, channel_axis: int
) -> None:
    images = images_of(count, seed, dtype)
    untouched = images.copy()
    assert_that_of_numpy(FeatureMoments.of(images, channel_axis), images, channel_axis)
    np.testing.assert_array_equal(images, untouched)


@settings(max_examples=60)
@given(sizes=st.tuples(*[st.integers(0, 5)] * 3), seed=seeds, dtype=dtypes)
def test_merging_is_associative_and_commutative(
    sizes: tuple[int, int, int], seed: int, dtype: str
) -> None:
    a, b, c = (FeatureMoments.of(images_of(size, seed ^ i, dtype), 3) for i, size in enumerate(sizes))
    assert_close(a.merged(b), b.merged(a))
    assert_close(a.merged(b).merged(c), a.merged(b.merged(c)))
    assert_close(c.merged(b).merged(a), a.merged(b).merged(c))


@settings(max_examples=60)
@given(
    owners=st.lists(st.integers(0, 4), min_size=1, max_size=20), seed=seeds, dtype=dtypes,
    channel_axis=axes,
)  # fmt: skip
def test_any_partition_of_the_images_gives_their_moments(
    owners: list[int], seed: int, dtype: str, channel_axis: int
) -> None:
    """The images go to five parts in any way, some of which may stay empty."""
    images = images_of(len(owners), seed, dtype)
    parts = [FeatureMoments.of(images[np.array(owners) == owner], channel_axis) for owner in range(5)]
    together = functools.reduce(FeatureMoments.merged, parts)
    assert_that_of_numpy(together, images, channel_axis)


@given(count=st.integers(0, 5), seed=seeds)
def test_an_empty_part_changes_nothing(count: int, seed: int) -> None:
    images = images_of(count, seed)
    some, empty = FeatureMoments.of(images, 3), FeatureMoments.of(images[:0], 3)
    assert empty.count == 0
    for merged in (some.merged(empty), empty.merged(some)):
        assert_close(merged, some, rtol=0)


def test_merging_leaves_its_parts_as_they_are() -> None:
    one, other = (FeatureMoments.of(images_of(2, seed), 3) for seed in (1, 2))
    before = [array.copy() for part in (one, other) for array in (part.mean, part.squares)]
    one.merged(other)
    after = [array for part in (one, other) for array in (part.mean, part.squares)]
    for array, right in zip(after, before, strict=True):
        np.testing.assert_array_equal(array, right)


@settings(max_examples=40)
@given(seed=seeds, offset=st.sampled_from([1e6, -1e6, 1e7]), batch=st.integers(1, 10))
def test_a_large_mean_does_not_hide_a_small_deviation(seed: int, offset: float, batch: int) -> None:
    """The difference of two sums of squares would be off by more than the variance itself."""
    images = images_of(20, seed) * 1e-4
    shifted = images + offset
    parts = [FeatureMoments.of(shifted[i : i + batch], 3) for i in range(0, 20, batch)]
    found = functools.reduce(FeatureMoments.merged, parts)
    variance = images.reshape(-1, 3).var(axis=0)
    np.testing.assert_allclose(found.squares / found.count, variance, rtol=1e-3)
    naive = np.mean(shifted**2, axis=(0, 1, 2)) - np.mean(shifted, axis=(0, 1, 2)) ** 2
    assert np.abs(naive / variance - 1).max() > 1e-3


# Outer products


@st.composite
def flat_images(draw: st.DrawFn) -> Doubles:
    """(n, d) with n below, at and above d."""
    count, values = draw(st.integers(1, 30)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(seeds))
    return rng.uniform(0, 255, (count, values)) * rng.uniform(0.1, 1, values)


def products_of(flat: NDArray[Any], centre: Doubles, cuts: list[int] | None = None) -> OuterProducts:
    products = OuterProducts(centre)
    for part in np.split(flat, sorted(cuts or [])):
        products.add(part)
    return products


@settings(max_examples=80)
@given(
    flat=flat_images(), cuts=st.lists(st.integers(0, 30), max_size=4),
    centre=st.floats(-50, 300), about=st.floats(-50, 300),
)  # fmt: skip
def test_products_about_any_centre_are_those_computed_directly(
    flat: Doubles, cuts: list[int], centre: float, about: float
) -> None:
    provisional, other = np.linspace(centre, 100, flat.shape[1]), np.linspace(about, 130, flat.shape[1])
    products = products_of(flat, provisional, cuts)
    assert products.count == len(flat)
    for mean in (other, flat.mean(axis=0)):
        direct = (flat - mean).T @ (flat - mean)
        scale = len(flat) * 300.0**2  # of the sums that cancel
        np.testing.assert_allclose(products.about(mean), direct, rtol=1e-9, atol=1e-12 * scale)


def test_products_of_small_integers_do_not_overflow() -> None:
    flat = np.full((300, 2), 255, np.uint8)
    np.testing.assert_array_equal(
        products_of(flat, np.zeros(2)).about(np.zeros(2)), np.full((2, 2), 300 * 255.0**2)
    )


def whitening_by_svd(centred: Doubles, epsilon: float) -> Doubles:
    """Keras' formula."""
    u, s, _ = np.linalg.svd(centred.T, full_matrices=False)
    matrix: Doubles = (u * (np.sqrt(len(centred)) / (s + epsilon))) @ u.T
    return matrix


@settings(max_examples=80)
@given(flat=flat_images(), epsilon=st.sampled_from([0.01, 0.1, 10.0]), cut=st.integers(0, 30))
def test_whitening_is_that_of_the_singular_value_decomposition(
    flat: Doubles, epsilon: float, cut: int
) -> None:
    """About a mean per channel, as `fit` takes it: few images then still span n directions."""
    mean = np.full(flat.shape[1], flat.mean() + 7.0)
    singular = np.linalg.svd(flat - mean, compute_uv=False)
    assume(singular[-1] > 1e-3 * singular[0])
    expected = whitening_by_svd(flat - mean, epsilon)
    found = whitening_of_products(
        products_of(flat, np.full(flat.shape[1], flat[0].mean()), [cut]), mean, epsilon
    )
    tolerance = 1e-6 * float(np.abs(expected).max())
    np.testing.assert_allclose(found, expected, atol=tolerance)
    assert np.linalg.matrix_rank(found) == min(flat.shape)


@pytest.mark.parametrize("epsilon", [1e-6, 1.0, 100.0])
def test_whitening_of_plain_numbers(epsilon: float) -> None:
    """Four images on a square about the origin: every direction has the same deviation."""
    flat = np.array([[3.0, 4.0], [-3.0, -4.0], [4.0, -3.0], [-4.0, 3.0]])
    found = whitening_of_products(products_of(flat, np.ones(2)), np.zeros(2), epsilon)
    np.testing.assert_allclose(found, np.eye(2) * 2 / (50**0.5 + epsilon), atol=1e-12)


@settings(max_examples=40)
@given(seed=seeds, count=st.integers(30, 60))
def test_whitened_images_are_uncorrelated_and_of_unit_variance(seed: int, count: int) -> None:
    flat = np.random.default_rng(seed).uniform(0, 255, (count, 6))
    mean = flat.mean(axis=0)
    matrix = whitening_of_products(products_of(flat, np.full(6, 100.0)), mean, 1e-6)
    white = (flat - mean) @ matrix
    np.testing.assert_allclose(white.T @ white / count, np.eye(6), atol=1e-6)


# Numbers that a careless sum would lose, by way of `fit`


@pytest.mark.parametrize("streamed", [False, True], ids=["array", "iterator"])
def test_fit_finds_a_small_deviation_about_a_large_mean(streamed: bool) -> None:
    deviations = np.array([1e-2, 2e-2, 5e-3])
    noise = np.random.default_rng(1).standard_normal((50, 8, 8, 3)) * deviations
    generator = ImageDataGenerator(
        executor="serial", dtype="float64", featurewise_center=True, featurewise_std_normalization=True
    )
    images = 1e6 + noise
    generator.fit(generator.flow(images, batch_size=7) if streamed else images)
    assert generator.mean is not None
    assert generator.std is not None
    np.testing.assert_allclose(generator.mean.ravel() - 1e6, noise.mean((0, 1, 2)), atol=1e-8)
    np.testing.assert_allclose(generator.std.ravel(), noise.std((0, 1, 2)), rtol=1e-6)


@pytest.mark.parametrize("streamed", [False, True], ids=["array", "iterator"])
def test_two_million_floats_are_summed_without_loss(streamed: bool) -> None:
    images = np.full((2000, 40, 25, 1), 0.1, np.float32)
    images[:, ::2] += np.float32(0.02)
    flat = images.ravel()
    running_mean = np.add.accumulate(flat)[-1] / flat.size
    assert abs(running_mean / 0.11 - 1) > 1e-3
    generator = ImageDataGenerator(
        executor="serial", featurewise_center=True, featurewise_std_normalization=True
    )
    generator.fit(generator.flow(images, batch_size=100) if streamed else images)
    assert generator.mean is not None
    assert generator.std is not None
    assert generator.mean.item() == pytest.approx(0.11, rel=1e-6)
    assert generator.std.item() == pytest.approx(0.01, rel=1e-6)


# Matrices that do not fit


class Untouchable:
    """Images of which only the shape may be looked at."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def __array__(self, *args: Any, **named: Any) -> Any:
        raise AssertionError("the images were copied")


def whitener(**options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(
        executor="serial", featurewise_center=True, zca_whitening=True, zca_epsilon=0.1, **options
    )


@pytest.mark.parametrize("streamed", [False, True], ids=["array", "iterator"])
def test_a_matrix_that_would_not_fit_is_refused_before_anything_is_read(
    streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "free_memory", lambda: 2**30)
    generator = whitener()
    images: Any = Untouchable(10, 96, 96, 3)
    if streamed:
        images = generator.flow(np.broadcast_to(np.uint8(1), (10, 96, 96, 3)))
        monkeypatch.setattr(streamed_fit, "BatchStream", Untouchable.__array__)
    with pytest.raises(InvalidArgumentError) as caught:
        generator.fit(images)
    told = str(caught.value)
    assert "27,648 x 27,648" in told
    needed, free = (float(number) for number in re.findall(r"([\d.]+) GiB", told))
    assert needed >= 27_648**2 * (8 if streamed else 4) / 2**30
    assert free == 1.0
    assert generator.zca_whitening_matrix is None


@pytest.mark.parametrize("megabytes", [1, 7, 300])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("first", [False, True])
def test_the_image_size_that_is_recommended_is_the_largest_that_fits(
    megabytes: int, channels: int, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "free_memory", lambda: megabytes * 2**20)
    generator = whitener(data_format="channels_first" if first else "channels_last")

    def shape(side: int) -> tuple[int, ...]:
        return (1, channels, side, side) if first else (1, side, side, channels)

    with pytest.raises(InvalidArgumentError) as caught:
        generator.fit(Untouchable(*shape(400)))  # type: ignore[arg-type]
    found = re.search(r"up to (\d+)x(\d+) with (\d) channel", str(caught.value))
    assert found is not None
    side, width, told_channels = map(int, found.groups())
    assert (side, told_channels) == (width, channels)
    with pytest.raises(InvalidArgumentError, match="up to"):
        generator.fit(Untouchable(*shape(side + 1)))  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="copied"):
        generator.fit(Untouchable(*shape(side)))  # type: ignore[arg-type]


def test_the_machine_hasfree_memory() -> None:
    assert 0 < moments.free_memory() <= psutil.virtual_memory().total


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="asks the system for the peak of memory")
@pytest.mark.parametrize(
    ("repeats", "limit"), [(13, 80), pytest.param(51, 150, marks=pytest.mark.long)]
)
def test_memory_does_not_grow_with_the_data(repeats: int, limit: int, tmp_path: Path) -> None:
    """100 or 400 MB of pixels in a file; in float32, as an array is taken, four times as much."""
    result = run_program("imaging/memory_of_fit.py", repeats, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    megabytes, error = json.loads(result.stdout.splitlines()[-1])
    assert megabytes < limit
    assert error < 1e-3


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_a_bar_tells_in_a_terminal_how_far_it_is(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: terminal)
    generator = ImageDataGenerator(executor="serial", featurewise_center=True)
    iterator = generator.flow(images_of(60, 1), batch_size=16)
    monkeypatch.setattr(progress, "_PATIENCE_SECONDS", 0)
    monkeypatch.setattr(sys, "stderr", screen)
    generator.fit(iterator, augment=True, rounds=2)
    shown = screen.getvalue()
    for text in ("fit:   0%", "120/120", "images/s"):
        assert (text in shown) == terminal
    if not terminal:
        assert shown == ""
