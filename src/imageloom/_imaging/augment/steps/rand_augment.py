"""Applies some operations of a list in a row, as Keras' `RandAugment`.

The operations have the names and the meaning of Keras' layers, with the factors that `RandAugment`
gives them. Those that move pixels are also applied to masks and points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine, warp
from imageloom._imaging.augment.steps.operations import RECOLOURS
from imageloom._options.steps import RandAugment

__all__ = ["affine_of", "apply_operations", "draw_operations", "move_by_operations"]

Operation = Sequence[Any]  # the name and the numbers
_MOVES: Final = ("random_shear", "random_translation", "random_rotation")
_BITS: Final = 8


def draw_operations(rng: np.random.Generator, options: RandAugment) -> list[list[Any]]:
    """Draws the operations of an image, each as its name and its numbers."""
    names = list(_DRAWS)
    picked = rng.integers(0, len(names), options.num_ops)
    return [[names[number], *_DRAWS[names[number]](rng, *options.factor)] for number in picked]


def _shear(rng: np.random.Generator, low: float, high: float) -> list[float]:
    sign = -1.0 if rng.random() > 0.5 else 1.0
    down, across = rng.uniform(low, high), rng.uniform(low, high)
    return [float(sign * across), float(sign * down)]


def _translation(rng: np.random.Generator, low: float, high: float) -> list[float]:
    down, across = rng.uniform(low, high), rng.uniform(low, high)
    return [float(across), float(down)]


def _rotation(rng: np.random.Generator, low: float, high: float) -> list[float]:
    return [float(rng.uniform(360 * low, 360 * high))]


def _uniform(rng: np.random.Generator, low: float, high: float) -> list[float]:
    return [float(rng.uniform(low, high))]


def _contrast(rng: np.random.Generator, low: float, high: float) -> list[float]:
    return [float(rng.uniform(1 - low, 1 + high))]


def _posterization(rng: np.random.Generator, _: float, high: float) -> list[int]:
    most = max(1, int(_BITS * high))
    return [int(rng.integers(1, most)) if most > 1 else 1]


def _solarization(rng: np.random.Generator, low: float, high: float) -> list[float]:
    return [float(rng.uniform(low, 255 * high)), float(rng.uniform(low, 255 * high))]


def _nothing(*_: Any) -> list[float]:
    return []


_DRAWS: Final[dict[str, Callable[[np.random.Generator, float, float], list[Any]]]] = {
    "random_shear": _shear,
    "random_translation": _translation,
    "random_rotation": _rotation,
    "random_brightness": _uniform,
    "random_color_degeneration": _uniform,
    "random_contrast": _contrast,
    "random_sharpness": _uniform,
    "random_posterization": _posterization,
    "solarization": _solarization,
    "auto_contrast": _nothing,
    "equalization": _nothing,
}


def affine_of(operation: Operation, height: int, width: int) -> Affine | None:
    """The matrix and offset, from (row, column) of the result to those of the image.

    Args:
        operation: the name and the numbers.
        height: height of the image.
        width: width of the image.

    Returns:
        As `affine_matrix`; None for an operation that moves nothing.
    """
    name, *numbers = operation
    if name not in _MOVES:
        return None
    if name == "random_shear":
        across, down = numbers
        return np.array([[1.0, down], [across, 1.0]]), np.zeros(2)
    if name == "random_translation":
        across, down = numbers
        return np.eye(2), np.array([-down * height, -across * width])
    angle = np.deg2rad(numbers[0])
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    return matrix, centre - matrix @ centre


def apply_operations(
    x: NDArray[np.float32], operations: Sequence[Operation], *, nearest: bool
) -> NDArray[np.float32]:
    """Applies all operations to an image (height, width, channels) with values of 0..255."""
    for operation in operations:
        name, *numbers = operation
        x = RECOLOURS[name](x, *numbers) if name in RECOLOURS else _moved(x, operation, nearest)
    return x


def move_by_operations(x: NDArray[Any], operations: Sequence[Operation]) -> NDArray[Any]:
    """Applies the operations that move pixels to a mask."""
    for operation in operations:
        if operation[0] in _MOVES:
            x = _moved(x, operation, nearest=True)
    return x


def _moved(x: NDArray[Any], operation: Operation, nearest: bool) -> NDArray[Any]:
    affine = affine_of(operation, *x.shape[:2])
    assert affine is not None
    return warp(x, *affine, fill_mode="reflect", order=0 if nearest else 1)
