"""Draws the parameters of the random transform of an image.

`draw_transform` makes the same calls as Keras, in the same order, on a `RandomState`. Contrast and
noise, which Keras does not have, are drawn from a stream of their own, so that using them never changes
the other parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from imageloom._options import ShiftRange, TransformOptions
from imageloom._options.transform import seeded

__all__ = ["TransformParams", "default_transform", "draw_as_keras", "draw_own", "draw_transform"]

TransformParams = dict[str, Any]
_SIGNS: Final = np.array([-1, 1])


def default_transform() -> TransformParams:
    """A new dictionary with the parameters of the transform that changes nothing."""
    return {
        "theta": 0,
        "tx": 0,
        "ty": 0,
        "shear": 0,
        "zx": 1,
        "zy": 1,
        "flip_horizontal": False,
        "flip_vertical": False,
        "channel_shift_intensity": None,
        "brightness": None,
        "contrast": None,
        "noise": None,
    }


def draw_transform(
    rng: np.random.RandomState,
    options: TransformOptions,
    height: int,
    width: int,
    own_stream: Callable[[], np.random.Generator],
) -> TransformParams:
    """Draws the parameters of one image.

    Args:
        rng: the stream for the parameters that Keras draws too; it advances as Keras would advance it.
        options: the ranges to draw from.
        height: the height of the image, for shifts that are fractions.
        width: the width of the image.
        own_stream: makes the image's stream for contrast and noise; it is called only if needed.

    Returns:
        A dictionary with the keys of `default_transform`. theta and shear are degrees, tx and ty
        pixels, zx and zy factors. The noise is a `Noise` that contains its own seed.
    """
    params = draw_as_keras(rng, options, height, width)
    draw_own(params, options, own_stream)
    return params


def draw_as_keras(rng: Any, options: TransformOptions, height: int, width: int) -> TransformParams:
    """Draws the parameters that Keras draws; an `rng` that returns columns draws for a whole batch."""
    params = default_transform()
    if not options.random_transforms_enabled:
        return params
    if options.rotation_range:
        params["theta"] = rng.uniform(-options.rotation_range, options.rotation_range)
    # Keras draws the height's shift first and, by mistake, calls it tx, which moves columns.
    first, second = ("ty", "tx") if options.corrected_geometry else ("tx", "ty")
    params[first] = _draw_shift(rng, options.height_shift_range, height)
    params[second] = _draw_shift(rng, options.width_shift_range, width)
    if options.shear_range:
        params["shear"] = rng.uniform(-options.shear_range, options.shear_range)
    low, high = options.zoom_range
    if not low == high == 1:
        params["zx"], params["zy"] = rng.uniform(low, high, 2)
    # Like Keras, each flip draws a number even if it is off.
    params["flip_horizontal"] = (rng.random_sample() < 0.5) * options.horizontal_flip
    params["flip_vertical"] = (rng.random_sample() < 0.5) * options.vertical_flip
    if options.channel_shift_range != 0:
        params["channel_shift_intensity"] = rng.uniform(
            -options.channel_shift_range, options.channel_shift_range
        )
    if options.brightness_range is not None:
        params["brightness"] = rng.uniform(options.brightness_range[0], options.brightness_range[1])
    return params


def draw_own(
    params: TransformParams, options: TransformOptions, own_stream: Callable[[], np.random.Generator]
) -> None:
    """Adds the parameters that Keras does not have."""
    wanted = options.contrast_range is not None or bool(options.noise)
    if not wanted or not options.random_transforms_enabled:
        return
    rng = own_stream()
    contrast, picked, seed = rng.random(), rng.random(), int(rng.integers(2**63))
    if options.contrast_range is not None:
        low, high = options.contrast_range
        params["contrast"] = low + (high - low) * contrast
    if options.noise:
        params["noise"] = seeded(options.noise[int(picked * len(options.noise))], seed)


def _draw_shift(rng: Any, shift: ShiftRange, size: int) -> float:
    """Draws a shift in pixels, as Keras does.

    A list gives one of its values with a random sign, and an int n a value below n with a random sign.
    A float gives a uniform value. If the range is below 1, it is a fraction of the image's size.
    """
    if not shift:
        return 0
    if isinstance(shift, float):  # the most common case, without the cost of an exception
        pixels: float = rng.uniform(-shift, shift)
        return pixels * size if shift < 1 else pixels
    try:
        drawn = rng.choice(shift) * rng.choice(_SIGNS)
    except ValueError:  # other floats and negative integers have no elements to choose from
        drawn = rng.uniform(-shift, shift)  # type: ignore[operator]
    return drawn * size if np.max(shift) < 1 else drawn  # type: ignore[no-any-return]
