"""Erases a rectangle, as Keras' `RandomErasing`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import InvalidArgumentError
from imageloom._imaging.augment.noise import normal_numbers
from imageloom._imaging.augment.steps.chance import happens
from imageloom._options.steps import Erasing

__all__ = ["draw_erasing", "erase"]


def draw_erasing(
    rng: np.random.Generator, options: Erasing, height: int, width: int
) -> dict[str, Any] | None:
    """Draws a rectangle, and what fills it; None if nothing is erased.

    Returns:
        top, left, height and width in pixels, and `fill_value`, or the `seed` of noise.
    """
    sides = np.sqrt(rng.uniform(*options.scale, 2))
    (left, right), (top, bottom) = (
        _edges(rng.random(), share, length)
        for share, length in zip(sides, (width, height), strict=True)
    )
    erases, seed = happens(rng, options.factor), int(rng.integers(2**63))
    if not erases:
        return None
    fill = options.fill_value
    filled = (
        {"seed": seed} if fill is None else {"fill_value": [*fill] if isinstance(fill, tuple) else fill}
    )
    return {"top": top, "left": left, "height": bottom - top, "width": right - left, **filled}


def _edges(place: float, share: float, length: int) -> tuple[int, int]:
    """The first pixel within, and the first one behind, a part of an axis."""
    start = place * (length - share * length)
    return math.ceil(start), min(math.ceil(start + share * length), length)


def erase(x: NDArray[np.float32], params: Mapping[str, Any]) -> NDArray[np.float32]:
    """Erases the rectangle in an image (height, width, channels), and returns a new one.

    As in Keras, noise is normal with a standard deviation of 255, clipped to 0..255.

    Raises:
        InvalidArgumentError: There are not as many fill values as channels.
    """
    top, left = params["top"], params["left"]
    rows, columns = slice(top, top + params["height"]), slice(left, left + params["width"])
    found = x.copy()
    hole = found[rows, columns]
    if hole.size == 0:
        return found
    if "seed" in params:
        hole[...] = np.clip(normal_numbers(np.random.PCG64(params["seed"]), hole.shape, 255.0), 0, 255)
        return found
    values = np.atleast_1d(np.asarray(params["fill_value"], np.float32))
    if len(values) not in (1, x.shape[2]):
        raise InvalidArgumentError(
            f"`fill_value` of `random_erasing` has {len(values)} values, and the image {x.shape[2]} "
            "channels: pass one value, or one for each channel."
        )
    hole[...] = np.clip(values, 0, 255)
    return found
