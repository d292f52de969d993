from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import Pixels
from PIL import Image, ImageEnhance

from imageloom import ImageDataGenerator, Noise

Floats = NDArray[np.float32]
SIDE = 300
COUNT = SIDE * SIDE * 3


def flat(level: float, channels: int = 3) -> Floats:
    return np.full((SIDE, SIDE, channels), level, np.float32)


def with_noise(image: NDArray[Any], noise: Noise | str, seed: int = 1) -> Floats:
    """What a generator makes of an image when the noise is all it does."""
    return ImageDataGenerator(noise=[noise]).random_transform(image, seed=seed)


def assert_uncorrelated(noise: Floats) -> None:
    """Between channels, neighbouring rows and neighbouring columns."""
    pairs = [
        (noise[..., 0], noise[..., 1]),
        (noise[..., 0], noise[..., 2]),
        (noise[1:], noise[:-1]),
        (noise[:, 1:], noise[:, :-1]),
    ]
    for one, other in pairs:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize(
    ("mean", "var", "level"), [(0.0, 0.01, 128), (0.1, 0.0025, 100), (-0.2, 0.005, 180)]
)
def test_gauss_adds_normal_noise_of_the_given_mean_and_variance(
    mean: float, var: float, level: float
) -> None:
    noise = with_noise(flat(level), Noise("gauss", mean=mean, var=var)) - level
    deviation = 255 * var**0.5
    assert abs(noise.mean() - 255 * mean) < 5 * deviation / COUNT**0.5
    assert noise.std() == pytest.approx(deviation, rel=0.01)
    standard = (noise - noise.mean()) / noise.std()
    for reach, share in [(0.5, 0.3829), (1, 0.6827), (2, 0.9545)]:
        assert np.mean(np.abs(standard) < reach) == pytest.approx(share, abs=0.005)
    assert_uncorrelated(noise)


def test_gauss_is_a_tenth_of_the_range_by_default() -> None:
    assert (with_noise(flat(128), "gauss") - 128).std() == pytest.approx(25.5, rel=0.01)


@pytest.mark.parametrize("level", [20, 100, 200])
def test_speckle_adds_uniform_noise_in_proportion_to_the_pixel(level: float) -> None:
    ratio = with_noise(flat(level), "speckle") / level - 1
    reach = (3 * 0.01) ** 0.5
    assert np.abs(ratio).max() <= reach * 1.0001
    assert abs(ratio.mean()) < 5 * 0.1 / COUNT**0.5
    assert ratio.std() == pytest.approx(0.1, rel=0.01)
    shares = np.histogram(ratio, bins=10, range=(-reach, reach))[0] / COUNT
    np.testing.assert_allclose(shares, 0.1, atol=0.005)
    assert_uncorrelated(ratio)


def test_speckle_takes_mean_and_variance() -> None:
    ratio = with_noise(flat(100), Noise("speckle", mean=0.3, var=0.04)) / 100 - 1
    assert ratio.mean() == pytest.approx(0.3, abs=0.005)
    assert ratio.var() == pytest.approx(0.04, rel=0.02)


@pytest.mark.parametrize("level", [0, 4, 100])
def test_poisson_draws_counts_whose_variance_is_their_mean(level: float) -> None:
    noisy = with_noise(flat(level), "poisson")
    np.testing.assert_array_equal(noisy, np.round(noisy))
    assert noisy.mean() == pytest.approx(level, abs=5 * (level / COUNT) ** 0.5)
    assert noisy.var() == pytest.approx(level, rel=0.02)
    if level:
        assert_uncorrelated(noisy)


@pytest.mark.parametrize(("amount", "salt_share"), [(0.05, 0.5), (0.3, 0.9), (0.2, 0.0), (1.0, 0.5)])
def test_salt_and_pepper_replaces_a_share_of_whole_pixels(amount: float, salt_share: float) -> None:
    noisy = with_noise(flat(128), Noise("s&p", amount=amount, salt_share=salt_share))
    assert (noisy == noisy[..., :1]).all()  # all channels of a pixel alike
    pixels = noisy[..., 0]
    assert set(np.unique(pixels)) <= {0, 128, 255}
    salt, pepper = np.mean(pixels == 255), np.mean(pixels == 0)
    tolerance = 5 * 0.5 / SIDE
    assert salt == pytest.approx(amount * salt_share, abs=tolerance)
    assert pepper == pytest.approx(amount * (1 - salt_share), abs=tolerance)


def test_salt_and_pepper_replaces_a_twentieth_by_default() -> None:
    noisy = with_noise(flat(128, channels=1), "s&p")
    assert np.mean(noisy != 128) == pytest.approx(0.05, abs=0.005)


def test_salt_and_pepper_reaches_every_position() -> None:
    image = np.full((6, 4, 3), 128, np.float32)
    reached = [with_noise(image, Noise("s&p", amount=0.3), seed) != 128 for seed in range(60)]
    assert np.any(reached, axis=0).all()
    assert not np.all(reached, axis=0).any()


def test_salt_and_pepper_hits_whole_pixels_channels_first_too() -> None:
    generator = ImageDataGenerator(noise="s&p", data_format="channels_first")
    noisy = generator.random_transform(np.full((3, 90, 90), 128, np.float32), seed=2)
    assert (noisy == noisy[:1]).all()
    assert np.mean(noisy != 128) == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize(
    ("noise", "level", "at_0", "at_255"),
    [
        (Noise("gauss"), 230, 0, 0.1635),  # beyond 0.98 standard deviations
        (Noise("gauss"), 25.5, 0.1587, 0),
        (Noise("gauss", mean=-2), 128, 1, 0),
        (Noise("speckle"), 240, 0, 0.3196),
        (Noise("speckle", mean=-1, var=0.03), 100, 0.5, 0),
        (Noise("poisson"), 255, 0, 0.508),
        (Noise("poisson"), 2, 0.1353, 0),
    ],
)
def test_what_leaves_the_scale_ends_at_its_border(
    noise: Noise, level: float, at_0: float, at_255: float
) -> None:
    noisy = with_noise(flat(level), noise)
    assert np.mean(noisy == 0) == pytest.approx(at_0, abs=0.006)
    assert np.mean(noisy == 255) == pytest.approx(at_255, abs=0.006)


def test_poisson_does_not_round_the_pixels_before() -> None:
    assert with_noise(flat(0.4), "poisson").mean() == pytest.approx(0.4, rel=0.02)


@pytest.mark.parametrize(
    ("name", "deviations"),
    [("gauss", (12.75, 12.75)), ("speckle", (3, 7.5)), ("poisson", (60**0.5, 150**0.5))],
)
def test_noise_depends_on_each_pixel_alone(name: str, deviations: tuple[float, float]) -> None:
    image = flat(60)
    image[:, SIDE // 2 :, 1] = 150
    noise = with_noise(image, Noise(name, var=0.0025)) - image
    for level, deviation in zip((60, 150), deviations, strict=True):
        part = noise[image == level]
        assert part.mean() == pytest.approx(0, abs=0.35)
        assert part.std() == pytest.approx(deviation, rel=0.02)


def test_salt_and_pepper_strikes_at_random_and_leaves_the_rest() -> None:
    """Neither in rows nor in columns, and salt as independent of the place as pepper."""
    image = np.random.default_rng(2).uniform(10, 240, (SIDE, SIDE, 3)).astype(np.float32)
    noisy = with_noise(image, Noise("s&p", amount=0.4, salt_share=0.25))
    struck = (noisy != image).all(axis=-1)
    np.testing.assert_array_equal(noisy[~struck], image[~struck])
    assert set(np.unique(noisy[struck])) == {0, 255}
    salt = np.where(noisy[..., 0] == 255, 0.75, -0.25) * struck  # 0 on average
    for field in (struck - 0.4, salt):
        for other in (field[1:, :-1], field[:-1, 1:], field[1:, 1:]):
            assert abs(np.mean(field[:-1, :-1] * other)) < 5 * field.var() / SIDE
        for axis in (0, 1):  # lines vary as sums of independent pixels do
            assert field.mean(axis=axis).std() == pytest.approx(field.std() / SIDE**0.5, rel=0.25)
    assert abs(np.corrcoef(salt[struck], image[struck][:, 0])[0, 1]) < 0.03


@pytest.mark.parametrize("name", ["gauss", "poisson", "s&p", "speckle"])
@pytest.mark.parametrize("level", [0, 250, 255])
def test_noise_stays_on_the_scale(name: str, level: float) -> None:
    image = flat(level)
    noisy = with_noise(image, name)
    assert noisy.dtype == np.float32
    assert noisy.min() >= 0
    assert noisy.max() <= 255
    assert (image == level).all()
    if level:
        assert not np.array_equal(noisy, image)


def test_one_entry_is_picked_for_each_image() -> None:
    entries = [Noise("gauss", var=0.002), "s&p", "poisson"]
    generator = ImageDataGenerator(noise=entries)
    picked = [generator.get_random_transform((9, 9, 3), seed)["noise"] for seed in range(600)]
    names = [noise.name for noise in picked]
    for name in ("gauss", "s&p", "poisson"):
        assert 150 < names.count(name) < 250
    assert {noise.var for noise in picked if noise.name == "gauss"} == {0.002}
    assert len({noise.seed for noise in picked}) == 600


@pytest.mark.parametrize("name", ["gauss", "poisson", "s&p", "speckle"])
def test_a_drawn_transform_repeats_its_noise_and_others_differ(name: str) -> None:
    generator = ImageDataGenerator(noise=name)
    image = flat(90)
    params = generator.get_random_transform(image.shape, 5)
    noisy = generator.apply_transform(image, params)
    np.testing.assert_array_equal(generator.apply_transform(image, params), noisy)
    np.testing.assert_array_equal(generator.random_transform(image, seed=5), noisy)
    assert not np.array_equal(generator.random_transform(image, seed=6), noisy)


@pytest.mark.usefixtures("global_numpy_state")
def test_unseeded_noise_follows_the_global_seed() -> None:
    generator = ImageDataGenerator(noise="gauss")
    draws = []
    for seed in (3, 3, 4):
        np.random.seed(seed)
        draws.append([generator.random_transform(flat(90)) for _ in range(2)])
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[0][0], draws[0][1])


def test_noise_comes_after_contrast() -> None:
    generator = ImageDataGenerator(noise="gauss", contrast_range=(0, 0))
    noisy = generator.random_transform(flat(90), seed=1)
    assert noisy.std() == pytest.approx(25.5, rel=0.01)


# Contrast


def with_contrast(image: NDArray[Any], factor: float) -> NDArray[Any]:
    return ImageDataGenerator().apply_transform(image, {"contrast": factor})


@pytest.mark.parametrize("factor", [0, 0.3, 0.75, 1, 1.4, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_is_that_of_pillow(factor: float, channels: int, colour_photo: Pixels) -> None:
    image = colour_photo if channels == 3 else colour_photo[..., :1]
    picture = Image.fromarray(image if channels == 3 else image[..., 0])
    expected = np.asarray(ImageEnhance.Contrast(picture).enhance(factor), np.float32)
    result = with_contrast(image.astype(np.float32), factor)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected.reshape(image.shape))


def test_contrast_0_is_solid_grey_and_1_the_image(colour_photo: Pixels) -> None:
    image = colour_photo.astype(np.float32)
    grey = with_contrast(image, 0.0)
    assert grey.min() == grey.max()
    luma = image @ np.array([0.299, 0.587, 0.114])
    assert abs(grey.max() - luma.mean()) <= 1
    np.testing.assert_array_equal(with_contrast(image, 1.0), image)


def test_the_drawn_contrast_is_applied_after_brightness(colour_photo: Pixels) -> None:
    image = colour_photo.astype(np.float32)
    generator = ImageDataGenerator(contrast_range=(0.5, 0.5), brightness_range=(1.6, 1.6))
    bright = generator.apply_transform(image, {"brightness": 1.6})
    result = generator.random_transform(image, seed=1)
    np.testing.assert_array_equal(result, with_contrast(bright, 0.5))
    assert result.std() < 0.7 * bright.std()


def test_contrast_does_not_stretch_the_image() -> None:
    """The original made 10 and 20 into 0 and 255."""
    image = np.where(np.arange(64).reshape(8, 8, 1) % 2, 20, 10).astype(np.float32)
    np.testing.assert_array_equal(with_contrast(image, 1.0), image)
    assert np.ptp(with_contrast(image, 0.5)) == pytest.approx(5, abs=1)


def test_contrast_leaves_alpha_alone(colour_photo: Pixels) -> None:
    alpha = np.arange(90 * 120, dtype=np.float32).reshape(90, 120, 1) % 256
    image = np.concatenate([colour_photo.astype(np.float32), alpha], axis=-1)
    result = with_contrast(image, 0.2)
    np.testing.assert_array_equal(result[..., 3:], alpha)
    np.testing.assert_array_equal(result[..., :3], with_contrast(image[..., :3], 0.2))


@pytest.mark.parametrize(("low", "high"), [(-50, 180), (0, 700)])
def test_contrast_maps_wider_data_back_to_its_range(low: float, high: float) -> None:
    image = np.linspace(low, high, 300, dtype=np.float32).reshape(10, 10, 3)
    step = (high - low) / 255
    np.testing.assert_allclose(with_contrast(image, 1.0), image, atol=step + 1e-3)
    assert np.ptp(with_contrast(image, 0.5)) == pytest.approx((high - low) / 2, abs=2 * step)


def test_contrast_factors_are_drawn_uniformly() -> None:
    generator = ImageDataGenerator(contrast_range=(0.5, 2))
    drawn = [generator.get_random_transform((9, 9, 3), seed)["contrast"] for seed in range(800)]
    shares = np.histogram(drawn, bins=3, range=(0.5, 2))[0] / 800
    np.testing.assert_allclose(shares, 1 / 3, atol=0.06)
    assert 0.5 <= min(drawn) < 0.52
    assert 1.98 < max(drawn) <= 2


# Independence

GEOMETRY: dict[str, Any] = {
    "rotation_range": 30, "width_shift_range": [1, 4], "zoom_range": 0.2, "horizontal_flip": True,
    "brightness_range": (0.5, 1.5), "channel_shift_range": 20,
}  # fmt: skip
OWN: list[dict[str, Any]] = [
    {"contrast_range": (0.5, 1.5)},
    {"noise": ["gauss", "s&p"]},
    {"contrast_range": [0, 2], "noise": "poisson"},
]


@pytest.mark.parametrize("own", OWN)
@pytest.mark.filterwarnings("ignore:Keras exchanges two axes")
def test_contrast_and_noise_do_not_change_what_else_is_drawn(own: dict[str, Any]) -> None:
    plain, enriched = ImageDataGenerator(**GEOMETRY), ImageDataGenerator(**GEOMETRY, **own)
    for seed in range(30):
        expected = plain.get_random_transform((40, 30, 3), seed)
        drawn = enriched.get_random_transform((40, 30, 3), seed)
        for name, value in drawn.items():
            if name in ("contrast", "noise"):
                assert (value is not None) == (f"{name}_range" in own or name in own)
            else:
                assert value == expected[name]


def test_contrast_does_not_change_the_noise_nor_noise_the_contrast() -> None:
    alone = ImageDataGenerator(noise=["gauss", "s&p"]).get_random_transform((9, 9, 3), 4)
    contrast = ImageDataGenerator(contrast_range=(0, 2)).get_random_transform((9, 9, 3), 4)
    both = ImageDataGenerator(noise=["gauss", "s&p"], contrast_range=(0, 2))
    drawn = both.get_random_transform((9, 9, 3), 4)
    assert drawn["noise"] == alone["noise"]
    assert drawn["contrast"] == contrast["contrast"]


def test_the_picked_noise_and_the_contrast_are_independent() -> None:
    generator = ImageDataGenerator(noise=["gauss", "s&p"], contrast_range=(0, 1))
    drawn = [generator.get_random_transform((9, 9, 3), seed) for seed in range(900)]
    gauss = [params["noise"].name == "gauss" for params in drawn]
    for other in ([p["contrast"] for p in drawn], [p["noise"].seed / 2**63 for p in drawn]):
        assert abs(np.corrcoef(gauss, other)[0, 1]) < 0.12
        assert np.histogram(other, bins=3, range=(0, 1))[0].min() > 240


@pytest.mark.usefixtures("global_numpy_state")
def test_own_draws_do_not_advance_the_global_state() -> None:
    np.random.seed(1)
    ImageDataGenerator(**GEOMETRY).get_random_transform((9, 9, 3))
    words = np.random.get_state()[1].tolist()
    np.random.seed(1)
    ImageDataGenerator(**GEOMETRY, **OWN[2]).get_random_transform((9, 9, 3))
    assert np.random.get_state()[1].tolist() == words


def stream(folder: Path, batches: int = 5, **options: Any) -> list[Floats]:
    generator = ImageDataGenerator(executor="serial", **options)
    iterator = generator.flow_from_directory(
        folder, (24, 24), class_mode=None, batch_size=6, seed=8, interpolation="nearest"
    )
    return [next(iterator) for _ in range(batches)]


def test_the_later_images_of_a_batch_keep_their_geometry(class_folder: Path) -> None:
    """Noise that replaces no pixel at all: the pictures stay, image by image, epoch by epoch."""
    geometry = {"rotation_range": 30, "zoom_range": 0.3, "horizontal_flip": True}
    plain = stream(class_folder, **geometry)
    noisy = stream(class_folder, noise=[Noise("s&p", amount=0)], **geometry)
    for batch, expected in zip(noisy, plain, strict=True):
        np.testing.assert_allclose(batch, expected, atol=1e-4)


def test_streams_with_noise_repeat_and_no_two_images_share_it(class_folder: Path) -> None:
    options: dict[str, Any] = {"noise": ["gauss"], "contrast_range": (0, 0)}
    first, second = stream(class_folder, **options), stream(class_folder, **options)
    fields = []
    for batch, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(batch, again)
        fields += [image - np.median(image) for image in batch]
    likeness = np.corrcoef([field.ravel() for field in fields]) - np.eye(len(fields))
    assert np.abs(likeness).max() < 0.15


def to_unit(x: NDArray[Any]) -> NDArray[Any]:
    return x / np.float32(255)


def beyond_bytes(x: NDArray[Any]) -> NDArray[Any]:
    return x * np.float32(2)


@pytest.mark.parametrize("hook", [to_unit, beyond_bytes])
@pytest.mark.parametrize(
    "option", [{"noise": "gauss"}, {"contrast_range": (0.5, 1)}, {"brightness_range": (0.5, 1)}]
)
def test_data_on_another_scale_is_reported_once(
    option: dict[str, Any], hook: Callable[..., Any], class_folder: Path
) -> None:
    with pytest.warns(UserWarning, match=r"0\.\.255 scale") as caught:
        stream(class_folder, noaug_preprocessing_function=hook, **option)
    assert len(caught) == 1


def test_data_on_another_scale_is_nothing_to_geometry(class_folder: Path) -> None:
    stream(class_folder, noaug_preprocessing_function=to_unit, rotation_range=20)
