"""Finishes images, with the operations of any framework: the same steps as `_imaging.augment.apply`.

Positions come as whole numbers and fractions, which have been computed in 64 bits (`_pipeline.
unfinished`): many devices have 32 bits only, whose error would be visible where fractions of grey
levels are cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from imageloom._adapters.applications import FORMULAS
from imageloom._adapters.finish.steps import FinishSteps, ImageFinish, Numbers

__all__ = ["image_finish"]

_EPSILON: Final = 1e-6  # Keras'
_GREY: Final = (19595, 38470, 7471)  # Pillow's shares of red, green and blue, in 65536ths


def image_finish(xp: Numbers, steps: FinishSteps) -> ImageFinish:
    """A function of stored pixels, geometry and colours that returns finished images."""
    return partial(_finish, xp, steps, _Constants.of(xp, steps))


def _finish(
    xp: Numbers, steps: FinishSteps, constants: _Constants, x: Any, geometry: Any, colours: Any
) -> Any:
    x = _warp(xp, steps, x, geometry) if steps.moves else xp.floats(x)
    shift, brightness, contrast = (colours[:, i, None, None, None] for i in range(3))
    if steps.shifts_channels:
        low, high = xp.extremes(x)
        x = xp.where(xp.isnan(shift), x, xp.clip(x + shift, low, high))
    if steps.brightens:
        x = _enhance(xp, x, brightness, lambda _: 0.0)
    if steps.contrasts:
        x = _enhance(xp, x, contrast, partial(_mean_grey, xp))
    return _normalise(xp, steps, constants, x)


# The affine step


def _warp(xp: Numbers, steps: FinishSteps, x: Any, geometry: Any) -> Any:
    height, width = int(x.shape[1]), int(x.shape[2])
    row, down = _positions(xp, geometry[:, :, : height + width], height)
    column, right = _positions(xp, geometry[:, :, height + width :], height)
    if steps.blends:
        picked = _interpolated(xp, steps, x, (xp.whole(row), down), (xp.whole(column), right))
    else:
        nearest = xp.whole(row + (down >= 0.5)), xp.whole(column + (right >= 0.5))
        picked = _pick(xp, steps, x, *nearest)
    if steps.fill_mode != "constant":
        return picked
    gone = _beyond(row, down, height) | _beyond(column, right, width)
    return xp.where(gone[..., None], steps.cval, picked)


def _interpolated(
    xp: Numbers, steps: FinishSteps, x: Any, rows: tuple[Any, Any], columns: tuple[Any, Any]
) -> Any:
    """Blends four pixels around positions, which are whole numbers and fractions."""
    (upper, down), (left, right) = rows, columns
    above, below = (
        _blend(_pick(xp, steps, x, row, left), _pick(xp, steps, x, row, left + 1), right[..., None])
        for row in (upper, upper + 1)
    )
    return _blend(above, below, down[..., None])


def _positions(xp: Numbers, terms: Any, height: int) -> tuple[Any, Any]:
    """Whole numbers and fractions of positions (n, height, width), of the terms of both axes."""
    whole = terms[:, 0, :height, None] + terms[:, 0, None, height:]
    part = terms[:, 1, :height, None] + terms[:, 1, None, height:]
    carried = xp.floor(part)
    return whole + carried, part - carried


def _beyond(whole: Any, part: Any, size: int) -> Any:
    """Whether positions lie beyond the centres of the border pixels."""
    return (whole < 0) | (whole > size - 1) | ((whole == size - 1) & (part > 0))


def _blend(one: Any, other: Any, share: Any) -> Any:
    # In this form, equal values stay equal to the last bit, so no flat area loses a grey level.
    return one + (other - one) * share


def _pick(xp: Numbers, steps: FinishSteps, x: Any, row: Any, column: Any) -> Any:
    """Pixels at whole positions, where the fill mode continues the image."""
    height, width = int(x.shape[1]), int(x.shape[2])
    picked = xp.floats(
        xp.take(
            x,
            _continued(xp, row, height, steps.fill_mode),
            _continued(xp, column, width, steps.fill_mode),
        )
    )
    if steps.fill_mode != "grid-constant":
        return picked
    gone = (row < 0) | (row >= height) | (column < 0) | (column >= width)
    return xp.where(gone[..., None], steps.cval, picked)


def _continued(xp: Numbers, index: Any, size: int, fill_mode: str) -> Any:
    if fill_mode in ("wrap", "grid-wrap"):
        return xp.remainder(index, size)
    if fill_mode in ("reflect", "grid-mirror"):
        index = xp.remainder(index, 2 * size)
        return xp.where(index >= size, 2 * size - 1 - index, index)
    if fill_mode == "mirror" and size > 1:
        index = xp.remainder(index, 2 * size - 2)
        return xp.where(index >= size, 2 * size - 2 - index, index)
    return xp.clip(index, 0, size - 1)


# Brightness and contrast, as Pillow computes them


def _enhance(xp: Numbers, x: Any, factor: Any, degenerate: Callable[[Any], Any]) -> Any:
    """Blends bytes with a grey level; a factor that is not a number leaves the image as it is."""
    low, high = xp.extremes(x)
    fits = (low >= 0) & (high <= 255)
    span = high - low
    stretched = (x - low) / xp.where(span == 0, 1.0, span) * 255
    pixels = xp.trunc(xp.where(fits, x, stretched))
    grey = degenerate(pixels)
    enhanced = xp.trunc(xp.clip(grey + factor * (pixels - grey), 0.0, 255.0))
    if int(x.shape[3]) == 4:  # alpha stays
        enhanced = xp.join(enhanced[..., :3], pixels[..., 3:])
    enhanced = xp.where(fits, enhanced, enhanced / 255 * span + low)
    return xp.where(xp.isnan(factor), x, enhanced)


def _mean_grey(xp: Numbers, pixels: Any) -> Any:
    """The mean grey level of each image, rounded, (n, 1, 1, 1)."""
    grey = pixels
    if int(pixels.shape[3]) > 1:
        red, green, blue = (pixels[..., i : i + 1] * _GREY[i] for i in range(3))
        grey = xp.floor((red + green + blue + 32768) / 65536)  # exact in 32 bits
    count = int(pixels.shape[1]) * int(pixels.shape[2])
    total = xp.total(grey)
    rest = xp.remainder(total, count)
    return xp.floats((total - rest) // count) + xp.floats(2 * rest >= count)


# The normalisation


@dataclass(frozen=True, slots=True)
class _Constants:
    """What images are computed with, on their device."""

    mean: Any
    std: Any
    whitening: Any
    scaling_mean: Any
    scaling_std: Any

    @classmethod
    def of(cls, xp: Numbers, steps: FinishSteps) -> _Constants:
        formula = None if steps.scaling is None else FORMULAS.get(steps.scaling.mode or "")

        def by_channel(values: tuple[float, ...] | None) -> Any:
            if values is None:
                return None
            shape = (-1, 1, 1) if _scales_first(steps) else -1
            return xp.constant(np.array(values).reshape(shape))

        return cls(
            None if steps.mean is None else xp.constant(steps.mean),
            None if steps.std is None else xp.constant(steps.std + _EPSILON),
            None if steps.whitening is None else xp.constant(steps.whitening),
            by_channel(None if formula is None else formula.mean),
            by_channel(None if formula is None else formula.std),
        )


def _scales_first(steps: FinishSteps) -> bool:
    return steps.scaling is not None and steps.scaling.data_format == "channels_first"


def _normalise(xp: Numbers, steps: FinishSteps, constants: _Constants, x: Any) -> Any:
    if steps.channels_first:
        x = xp.move_channels_first(x)
    if steps.scaling is not None:
        x = _scaled(xp, steps, constants, x)
    if steps.rescale:
        x = x * steps.rescale
    if steps.samplewise_center:
        x = x - xp.mean(x)
    if steps.samplewise_std:
        x = x / (xp.std(x) + _EPSILON)
    if constants.mean is not None:
        x = x - constants.mean
    if constants.std is not None:
        x = x / constants.std
    if constants.whitening is not None:
        x = xp.multiply(x.reshape(x.shape[0], -1), constants.whitening).reshape(x.shape)
    return xp.cast(x, steps.dtype)


def _scaled(xp: Numbers, steps: FinishSteps, constants: _Constants, x: Any) -> Any:
    """What `ImageNetScaling` does with each image."""
    assert steps.scaling is not None
    formula = FORMULAS.get(steps.scaling.mode or "")
    if formula is None:
        return x
    if formula.reverses:
        x = xp.flip(x, 1 if _scales_first(steps) else 3)
    if formula.divisor is not None:
        x = x / formula.divisor
    x = x - constants.scaling_mean
    return x if constants.scaling_std is None else x / constants.scaling_std
