from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import both_generators, keras_generator, quiet

from imageloom import ImageDataGenerator

STATISTICS = ("mean", "std", "zca_whitening_matrix")
X = np.random.RandomState(42).uniform(0, 255, (6, 4, 4, 3)).astype("float32")
FIT_OPTIONS = ("featurewise_center", "featurewise_std_normalization", "zca_whitening")
SAMPLE_OPTIONS = ("samplewise_center", "samplewise_std_normalization")


def samples(shape: tuple[int, ...], seed: int, dtype: str = "float32") -> NDArray[Any]:
    return np.random.RandomState(seed).uniform(0, 255, shape).astype(dtype)


def fit_both(x: NDArray[Any], fit: dict[str, Any], **options: Any) -> tuple[Any, Any]:
    with quiet():  # options that imply one another: the warnings have tests of their own
        ours, theirs = both_generators(**options)
        theirs.fit(x.copy(), **fit)
        untouched = x.copy()
        ours.fit(x, **fit)
    np.testing.assert_array_equal(x, untouched)
    return ours, theirs


def compare_statistics(ours: Any, theirs: Any, rtol: float = 1e-5) -> None:
    for name in STATISTICS:
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert (found is None) == (expected is None), name
        if expected is not None:
            assert found.shape == expected.shape, name
            assert found.dtype == expected.dtype, name
            # Keras sums in float32, ours in float64: small entries of a matrix differ by its largest.
            atol = rtol * float(np.abs(expected).max())
            np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("wanted", list(itertools.product([False, True], repeat=3)))
def test_fit_finds_what_keras_finds(
    wanted: tuple[bool, bool, bool], dtype: str, data_format: str
) -> None:
    options = dict(zip(FIT_OPTIONS, wanted, strict=True))
    shape = (60, 3, 4, 3) if data_format == "channels_last" else (60, 3, 3, 4)
    for rescale in (None, 1 / 255):
        ours, theirs = fit_both(
            samples(shape, 3), {}, data_format=data_format, dtype=dtype, rescale=rescale,
            zca_epsilon=1e-3, **options,
        )  # fmt: skip
        compare_statistics(ours, theirs)


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_fit_on_transformed_images(rounds: int, data_format: str) -> None:
    ours, theirs = fit_both(
        samples((12, 3, 8, 8) if data_format == "channels_first" else (12, 8, 8, 3), 4),
        {"augment": True, "rounds": rounds, "seed": 17},
        data_format=data_format, featurewise_center=True, featurewise_std_normalization=True,
        rotation_range=40, zoom_range=0.3, width_shift_range=0.2, channel_shift_range=30,
        horizontal_flip=True, rescale=0.5,
    )  # fmt: skip
    compare_statistics(ours, theirs)


def test_fit_sees_brightness_after_rescaling_as_keras_does() -> None:
    """Bytes of images in 0..1 are all 0 or 1: a known oddity that is kept."""
    ours, theirs = fit_both(
        X, {"augment": True, "seed": 1}, featurewise_center=True, rescale=1 / 255,
        brightness_range=(0.3, 0.9),
    )  # fmt: skip
    np.testing.assert_array_equal(ours.mean, theirs.mean)
    assert not ours.mean.any()


@pytest.mark.usefixtures("global_numpy_state")
def test_unseeded_fit_uses_the_global_state_as_keras_does() -> None:
    options: dict[str, Any] = {"rotation_range": 50, "featurewise_center": True}
    ours, theirs = both_generators(interpolation_order=0, **options)
    np.random.seed(5)
    with quiet():
        theirs.fit(X, augment=True, rounds=2)
    words = np.random.get_state()[1].tolist()
    np.random.seed(5)
    ours.fit(X, augment=True, rounds=2)
    assert np.random.get_state()[1].tolist() == words
    compare_statistics(ours, theirs)


def test_seeded_fit_leaves_the_global_state_alone() -> None:
    before = np.random.get_state()[1].tolist()
    generator = ImageDataGenerator(rotation_range=50, featurewise_center=True)
    generator.fit(X, augment=True, seed=3)
    assert np.random.get_state()[1].tolist() == before


def test_golden_statistics_of_rescaled_images() -> None:
    generator = ImageDataGenerator(
        featurewise_center=True, featurewise_std_normalization=True, rescale=1 / 255
    )
    assert generator.fit(X) is None
    assert generator.mean is not None
    assert generator.std is not None
    assert generator.mean.shape == generator.std.shape == (1, 1, 3)
    np.testing.assert_allclose(generator.mean.ravel(), [0.489772, 0.507162, 0.504003], atol=1e-6)
    np.testing.assert_allclose(generator.std.ravel(), [0.282465, 0.313083, 0.283817], atol=1e-6)


def test_golden_mean_of_transformed_images() -> None:
    generator = ImageDataGenerator(featurewise_center=True, rotation_range=20, horizontal_flip=True)
    generator.fit(X, augment=True, rounds=2, seed=3)
    assert generator.mean is not None
    np.testing.assert_allclose(generator.mean.ravel(), [124.74552, 129.50955, 128.51912], atol=1e-3)


def test_golden_whitening() -> None:
    with pytest.warns(UserWarning, match="overrides `featurewise_center`"):
        generator = ImageDataGenerator(zca_whitening=True)
    corner = X[:, :1, :1]
    generator.fit(corner)
    golden = [[0.017987, -0.003979, 0.000087], [-0.003979, 0.012385, -0.000777],
              [0.000087, -0.000777, 0.011978]]  # fmt: skip
    np.testing.assert_allclose(generator.zca_whitening_matrix, golden, atol=1e-6)
    white = generator.standardize(corner[:1].copy())
    np.testing.assert_allclose(white.ravel(), [-1.43362, 1.5221, 0.31996], atol=1e-4)


def test_golden_samplewise_values() -> None:
    generator = ImageDataGenerator(samplewise_center=True, samplewise_std_normalization=True)
    result = generator.standardize(X[0].copy())
    np.testing.assert_allclose(result[0, 0], [-0.25851, 1.73483, 0.97814], atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 4, 3), (2, 2, 4, 4, 3), (5,)])
def test_fit_wants_rank_4(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="should have rank 4"):
        ImageDataGenerator(featurewise_center=True).fit(np.zeros(shape))


def test_fit_warns_of_odd_channel_counts() -> None:
    generator = ImageDataGenerator(featurewise_center=True)
    with pytest.warns(UserWarning, match=r"2 channels"):
        generator.fit(np.zeros((3, 4, 4, 2)))


def test_a_second_fit_keeps_what_it_does_not_compute() -> None:
    ours, theirs = fit_both(X, {}, featurewise_center=True, featurewise_std_normalization=True)
    for generator in (ours, theirs):
        generator.featurewise_std_normalization = False
        generator.fit(X / 2)
    compare_statistics(ours, theirs)
    assert ours.std is not None


@settings(max_examples=120)
@given(
    flags=st.tuples(*[st.booleans()] * 5), rescale=st.sampled_from([None, 0, 1 / 255, 2.5]),
    batch=st.booleans(), hook=st.booleans(), seed=st.integers(0, 1000),
    data_format=st.sampled_from(["channels_last", "channels_first"]),
)  # fmt: skip
def test_standardize_is_that_of_keras(
    flags: tuple[bool, ...], rescale: float | None, batch: bool, hook: bool, seed: int,
    data_format: str,
) -> None:  # fmt: skip
    options: dict[str, Any] = dict(zip(FIT_OPTIONS + SAMPLE_OPTIONS, flags, strict=True))
    options |= {"rescale": rescale, "data_format": data_format, "zca_epsilon": 1e-2}
    options["preprocessing_function"] = upside_down if hook else None
    shape = (50, 4, 3, 3) if data_format == "channels_last" else (50, 3, 4, 3)
    data = samples(shape, seed)
    ours, theirs = fit_both(data, {}, **options)
    image = data[:7] if batch else data[3]
    with quiet():
        expected = theirs.standardize(image.copy())
    result = ours.standardize(image.copy())
    assert result.dtype == expected.dtype
    atol = 1e-5 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=atol)


def upside_down(x: NDArray[Any]) -> NDArray[Any]:
    return x[..., ::-1, :, :] + 1


def test_standardize_works_in_place() -> None:
    image = X[0].copy()
    result = ImageDataGenerator(rescale=1 / 255, samplewise_center=True).standardize(image)
    assert result is image
    assert abs(float(image.mean())) < 1e-6


@pytest.mark.parametrize("option", FIT_OPTIONS)
def test_standardize_warns_for_each_step_that_lacks_its_statistics(option: str) -> None:
    with quiet():
        generator = ImageDataGenerator(**{option: True})
    image = X[0].copy()
    with pytest.warns(UserWarning, match="fit") as caught:
        result = generator.standardize(image)
    told = [str(warning.message) for warning in caught]
    assert sum(option in text for text in told) == 1
    assert len(told) == (1 if option == "featurewise_center" else 2)  # the others imply it
    np.testing.assert_array_equal(result, X[0])


def test_normalising_integers_is_the_error_of_numpy_as_in_keras() -> None:
    ours, theirs = both_generators(rescale=0.5)
    for generator in (ours, theirs):
        with pytest.raises(TypeError, match="cast"):
            generator.standardize(np.ones((2, 2, 3), np.uint8))


def test_standardize_calls_a_hook_that_asks_for_params() -> None:
    told: list[Any] = []

    def hook(params: Any, x: NDArray[Any], filename: str | None) -> NDArray[Any]:
        told.append((params.image_data_generator, params.dtype, filename))
        return x + 1

    generator = ImageDataGenerator(preprocessing_function=hook, rescale=0.5)
    np.testing.assert_array_equal(generator.standardize(X[0].copy()), (X[0] + 1) * np.float32(0.5))
    assert told == [(generator, "float32", None)]


def test_random_transform_is_draw_and_apply() -> None:
    ours, theirs = both_generators(rotation_range=30, brightness_range=(0.5, 0.9), zoom_range=0.2)
    with quiet():
        expected = theirs.random_transform(X[0], seed=6)
    result = ours.random_transform(X[0], seed=6)
    np.testing.assert_allclose(result, expected, atol=1.01)
    again = ours.apply_transform(X[0], ours.get_random_transform(X[0].shape, 6))
    np.testing.assert_array_equal(result, again)


def test_keras_is_what_these_tests_compare_with() -> None:
    assert type(keras_generator()).__module__.startswith("keras.")
