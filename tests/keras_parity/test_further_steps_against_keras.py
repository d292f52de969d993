"""Each further step gives what Keras' layer of that name gives for the same parameters."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imageloom import ImageDataGenerator
from imageloom._imaging.augment.steps.crop import crop, draw_crop
from imageloom._imaging.augment.steps.elastic import distort_by, smoothed
from imageloom._options.steps import Crop

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.slow  # because JAX compiles each layer

SHAPE: Final = (48, 36, 3)


@pytest.fixture
def image() -> NDArray[np.float32]:
    """A picture with smooth and with sharp parts, in float32 of 0..255."""
    noise = np.random.default_rng(5).integers(0, 256, SHAPE).astype(np.float32)
    noise[:, :18] = cv2.GaussianBlur(noise, (9, 9), 2)[:, :18]
    noise[:6, :6] = (200, 30, 30)
    return noise


def applied(x: NDArray[Any], **params: Any) -> NDArray[Any]:
    """What our generator makes of an image with these parameters, among which nothing is drawn."""
    return ImageDataGenerator().apply_transform(x, params)


def by_layer(name: str, x: NDArray[Any], transformation: dict[str, Any], **options: Any) -> Any:
    """What Keras' layer makes of a batch of one image with these parameters."""
    if not hasattr(keras.layers, name):
        pytest.skip(f"this Keras has no {name}")
    layer = getattr(keras.layers, name)(data_format="channels_last", **options)
    arrays = {key: keras.ops.convert_to_tensor(value) for key, value in transformation.items()}
    return np.asarray(layer.transform_images(keras.ops.convert_to_tensor(x[None]), arrays))[0]


def assert_close(ours: Any, theirs: Any, levels: float = 0.01) -> None:
    assert np.abs(np.asarray(ours) - theirs).max() <= levels


@pytest.mark.parametrize("delta", [-0.5, -0.2, 0.0, 0.1, 0.33, 0.5])
def test_hue(image: NDArray[Any], delta: float) -> None:
    theirs = by_layer("RandomHue", image, {"factor": np.float32([delta])}, factor=1.0)
    assert_close(applied(image, hue=delta), theirs)


@pytest.mark.parametrize("factor", [0.0, 0.4, 0.5, 0.7, 1.0])
def test_saturation(image: NDArray[Any], factor: float) -> None:
    drawn = factor / (1 - factor + 1e-7)
    theirs = by_layer(
        "RandomSaturation", image / 255, {"factor": np.float32([drawn])}, factor=1.0, value_range=(0, 1)
    )
    assert_close(applied(image, saturation=drawn), 255 * theirs)


def test_saturation_is_drawn_as_keras_describes_it() -> None:
    """A number is the upper bound, with 0 as the lower one; Keras 3.15 itself goes below."""
    layer = keras.layers.RandomSaturation(factor=(0.0, 0.3), seed=1)
    theirs = np.asarray(layer.get_random_transformation(np.zeros((4000, 2, 2, 3)))["factor"])
    for option in (0.3, (0.0, 0.3)):
        generator = ImageDataGenerator(saturation_range=option)
        ours = [generator.get_random_transform(SHAPE, seed)["saturation"] for seed in range(4000)]
        assert 0 <= min(ours) <= max(ours) <= 0.3 / 0.7
        quantiles = np.linspace(0, 1, 11)
        np.testing.assert_allclose(
            np.quantile(ours, quantiles), np.quantile(theirs, quantiles), atol=0.02
        )


def test_grayscale(image: NDArray[Any]) -> None:
    layer = keras.layers.RandomGrayscale(factor=1.0, data_format="channels_last")
    applies = np.ones((1, 1, 1, 1), bool)
    theirs = np.asarray(layer.transform_images(keras.ops.convert_to_tensor(image[None]), applies))[0]
    assert_close(applied(image, grayscale=True), np.broadcast_to(theirs, image.shape))


@pytest.mark.parametrize(("size", "sigma"), [((3, 3), (0.3, 0.9)), ((7, 5), (2.5, 1e-6))])
def test_blur(image: NDArray[Any], size: tuple[int, int], sigma: tuple[float, float]) -> None:
    drawn = {"should_apply_blur": [True], "blur_factor": np.float32(sigma)}
    theirs = by_layer("RandomGaussianBlur", image, drawn, kernel_size=size)
    assert_close(applied(image, blur={"kernel_size": size, "sigma": sigma}), theirs)


def test_perspective(image: NDArray[Any]) -> None:
    height, width, _ = SHAPE
    corners = np.float32([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
    for seed in range(3):
        moves = np.random.default_rng(seed).uniform(-0.2, 0.2, (4, 2))
        drawn = {
            "start_points": corners[None],
            "end_points": np.float32(corners * (1 + moves))[None],
            "apply_perspective": [True],
        }
        theirs = by_layer("RandomPerspective", image, drawn)
        ours = applied(image, perspective=moves.tolist())
        assert np.mean(np.abs(ours - theirs) > 0.1) < 1e-3  # of float32 positions beside the border
        assert np.abs(ours - theirs).mean() < 0.01


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_elastic(image: NDArray[Any], scale: float) -> None:
    """The same normal numbers give Keras' displacements: here in both directions the same ones."""
    height, width, _ = SHAPE
    alpha, sigma = 0.1 * scale * max(height, width), 0.05 * scale * min(height, width)
    jax = pytest.importorskip("jax")
    if not hasattr(keras.layers, "RandomElasticTransform"):
        pytest.skip("this Keras has no RandomElasticTransform")
    theirs = keras.src.backend.jax.image.elastic_transform(
        image, alpha, sigma, fill_mode="reflect", seed=3, data_format="channels_last"
    )
    drawn = keras.src.backend.jax.random.jax_draw_seed(3)
    noise = np.asarray(jax.random.normal(drawn, (1, height, width)))
    across, down = smoothed(np.concatenate((noise, noise)), scale)
    ours = distort_by(image, across, down, fill_mode="reflect", fill_value=0.0, nearest=False)
    assert np.mean(np.abs(ours - np.asarray(theirs)) > 0.1) < 1e-3


@pytest.mark.parametrize("fill", [None, 7.0, (10.0, 20.0, 30.0)])
def test_erasing(image: NDArray[Any], fill: Any) -> None:
    generator = ImageDataGenerator(random_erasing={"factor": (1, 1), "fill_value": fill})
    for seed in range(20):
        drawn = generator.get_random_transform(SHAPE, seed)["random_erasing"]
        ours = generator.apply_transform(image, {"random_erasing": drawn})
        rows = slice(drawn["top"], drawn["top"] + drawn["height"])
        columns = slice(drawn["left"], drawn["left"] + drawn["width"])
        inside = np.zeros((1, *SHAPE), bool)
        inside[0, rows, columns] = True
        values = ours if fill is None else np.broadcast_to(np.float32(fill), SHAPE)
        theirs = by_layer(
            "RandomErasing",
            image,
            {"batch_masks": inside, "apply_erasing": [True], "fill_value": values[None]},
        )
        assert np.array_equal(ours, theirs)
        assert (ours[~inside[0]] == image[~inside[0]]).all()
        share = drawn["height"] * drawn["width"] / (SHAPE[0] * SHAPE[1])
        assert 0.01 < share < 0.36


OPERATIONS: Final[dict[str, tuple[str, list[float], dict[str, Any], dict[str, Any]]]] = {
    "random_brightness": ("RandomBrightness", [0.3], {"rgb_delta": 76.5}, {"factor": 1.0}),
    "random_color_degeneration": (
        "RandomColorDegeneration", [0.7], {"factor": 0.7}, {"factor": 1.0},
    ),
    "random_contrast": ("RandomContrast", [1.4], {"contrast_factor": 1.4}, {"factor": 1.0}),
    "random_sharpness": ("RandomSharpness", [0.8], {"factor": 0.8}, {"factor": 1.0}),
    "random_posterization": (
        "RandomPosterization", [3], {"shift_factor": np.uint8([5])}, {"factor": 3},
    ),
    "solarization": (
        "Solarization", [40.0, 90.0], {"additions": 40.0, "thresholds": 90.0},
        {"addition_factor": 1.0, "threshold_factor": 1.0},
    ),
    "auto_contrast": ("AutoContrast", [], {}, {}),
    "equalization": ("Equalization", [], {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_of_rand_augment_that_change_colours(name: str, image: NDArray[Any]) -> None:
    layer, numbers, drawn, options = OPERATIONS[name]
    arrays = {
        key: np.asarray(value, None if np.ndim(value) else "float32") for key, value in drawn.items()
    }
    for x in (image * 0.5 + 20, np.full_like(image, 90))[: 1 + (name == "auto_contrast")]:
        theirs = by_layer(layer, x, arrays, **options)
        assert_close(applied(x, rand_augment=[[name, *numbers]]), theirs)


@pytest.mark.parametrize(
    ("name", "layer", "numbers"),
    [
        ("random_shear", "RandomShear", [0.3, -0.2]),
        ("random_translation", "RandomTranslation", [0.25, -0.1]),
        ("random_rotation", "RandomRotation", [70.0]),
    ],
)
def test_operations_of_rand_augment_that_move_pixels(
    name: str, layer: str, numbers: list[float], image: NDArray[Any]
) -> None:
    height, width, _ = SHAPE
    if name == "random_shear":
        theirs = by_layer(layer, image, {"shear_factor": np.float32([numbers])})
    elif name == "random_translation":
        moved = np.float32([[numbers[0] * width, numbers[1] * height]])
        theirs = by_layer(layer, image, {"translations": moved}, height_factor=1.0, width_factor=1.0)
    else:
        rotation = keras.layers.RandomRotation((70 / 360, 70 / 360), data_format="channels_last")
        matrix = rotation.get_random_transformation(image[None])["rotation_matrix"]
        theirs = by_layer(layer, image, {"rotation_matrix": matrix}, factor=1.0)
    ours = applied(image, rand_augment=[[name, *numbers]])
    assert np.mean(np.abs(ours - theirs) > 0.1) < 1e-3


def test_operations_are_those_of_keras_with_its_factors() -> None:
    """Each operation is drawn in the range that Keras' RandAugment draws it in."""
    layer = keras.layers.RandAugment(num_ops=1, factor=0.4)
    generator = ImageDataGenerator(rand_augment=(1, 0.4))
    seen: dict[str, list[Any]] = {}
    for seed in range(600):
        ((name, *numbers),) = generator.get_random_transform(SHAPE, seed)["rand_augment"]
        seen.setdefault(name, []).append(numbers)
    assert set(seen) == set(layer._AUGMENT_LAYERS)
    for name in ("random_brightness", "random_color_degeneration", "random_sharpness"):
        low, high = getattr(layer, name).factor
        assert low <= np.min(seen[name]) < 0.05
        assert 0.35 < np.max(seen[name]) <= high
    assert np.min(seen["random_contrast"]) >= 1
    assert 1.35 < np.max(seen["random_contrast"]) <= 1.4
    assert {bits for (bits,) in seen["random_posterization"]} == {1, 2}
    assert layer.random_posterization.factor == (1, 3)  # of which the upper one is never drawn
    turns = np.array(seen["random_rotation"])
    assert turns.min() >= 0
    assert 120 < turns.max() <= 360 * layer.random_rotation.factor[1]
    moves = np.array(seen["random_translation"])
    assert moves.min() >= layer.random_translation.height_lower == 0
    assert 0.35 < moves.max() <= layer.random_translation.height_upper
    shears = np.array(seen["random_shear"])
    assert (shears[:, 0] * shears[:, 1] >= 0).all()
    assert -0.4 <= shears.min() < 0 < shears.max() <= 0.4
    assert 90 < np.max(seen["solarization"]) <= 0.4 * 255


def test_the_window_is_that_of_keras() -> None:
    layer = keras.layers.RandomCrop(40, 52, data_format="channels_last")
    rng = np.random.default_rng(1)
    for seed in range(20):
        x = rng.uniform(0, 255, (int(rng.integers(41, 90)), int(rng.integers(53, 90)), 3))
        drawn = draw_crop(np.random.default_rng(seed), Crop(), x.shape[:2], (40, 52))
        theirs = layer.transform_images(x.astype("float32"), (drawn["top"], drawn["left"]))
        assert np.array_equal(crop(x.astype("float32"), drawn), np.asarray(theirs))
    # What is smaller is enlarged, from the largest window with the same proportions.
    small = rng.uniform(0, 255, (20, 30, 3)).astype("float32")
    drawn = draw_crop(np.random.default_rng(1), Crop(), (20, 30), (40, 52))
    start = layer.get_random_transformation(small)
    assert (drawn["top"], drawn["left"]) == start
    assert (drawn["height"], drawn["width"]) == (20, 26)
    assert crop(small, drawn).shape == (40, 52, 3)
