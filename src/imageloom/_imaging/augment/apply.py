"""Applies a drawn transform to one image: a pure function of (image, parameters)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine, affine_matrix, is_identity, warp
from imageloom._imaging.augment.colour import adjust_brightness, adjust_contrast, flip, shift_channels
from imageloom._imaging.augment.noise import add_noise
from imageloom._options import Noise, TransformOptions

__all__ = ["apply_geometry", "apply_transform", "scale_warning"]

_GEOMETRY: Final = ("theta", "tx", "ty", "shear", "zx", "zy", "flip_horizontal", "flip_vertical")

_SCALE_WARNING: Final = (
    "Brightness, contrast and noise work on the 0..255 scale, but pixels in {low:.4g}..{high:.4g} "
    "were found (first in {name}). Scale with `rescale`, which runs after them, and not in "
    "`noaug_preprocessing_function`."
)


def apply_transform(
    x: NDArray[Any],
    params: Mapping[str, Any],
    options: TransformOptions,
    affine: Affine | None = None,
) -> NDArray[Any]:
    """Affine, channel shift, flips, brightness, contrast, noise, in this order.

    Args:
        x: image (height, width, channels); any numeric dtype, colour steps expect 0..255.
        params: keys as in `default_transform`; a missing key means the step is off.
        options: only fill mode, fill value, interpolation order and geometry are read.
        affine: what `affine_matrix` gives for these parameters, if that is known already.

    Returns:
        The transformed image, possibly a view; `x` itself if no step is active.
    """
    if not is_identity(params):
        matrix, offset = affine or affine_matrix(
            params, x.shape[0], x.shape[1], corrected=options.corrected_geometry
        )
        x = warp(
            x,
            matrix,
            offset,
            fill_mode=options.fill_mode,
            cval=options.cval,
            order=options.interpolation_order,
            settle_near_whole=(
                params.get("brightness") is not None or params.get("contrast") is not None
            ),
        )
    if params.get("channel_shift_intensity") is not None:
        x = shift_channels(x, params["channel_shift_intensity"])
    if params.get("flip_horizontal") or params.get("flip_vertical"):
        x = flip(
            x,
            horizontal=bool(params.get("flip_horizontal")),
            vertical=bool(params.get("flip_vertical")),
        )
    if params.get("brightness") is not None:
        x = adjust_brightness(x, params["brightness"])
    if params.get("contrast") is not None:
        x = adjust_contrast(x, params["contrast"])
    noise = params.get("noise")
    if noise is not None:
        x = add_noise(x, noise if isinstance(noise, Noise) else Noise(noise))
    return x


def apply_geometry(
    x: NDArray[Any], params: Mapping[str, Any], options: TransformOptions, affine: Affine | None = None
) -> NDArray[Any]:
    """The affine step and the flips alone, for masks: blends nothing, and what comes in is 0.

    Arguments as above.
    """
    geometry = {name: params[name] for name in _GEOMETRY if name in params}
    return apply_transform(x, geometry, replace(options, interpolation_order=0, cval=0.0), affine)


def scale_warning(x: NDArray[Any], name: str) -> str | None:
    """What to tell if an image is evidently not on the 0..255 scale; `name` says which it is."""
    low, high = float(x.min()), float(x.max())
    fractions = low >= 0 and high <= 1 and not np.all((x == 0) | (x == 1))
    if fractions or low < 0 or high > 255:
        return _SCALE_WARNING.format(low=low, high=high, name=name)
    return None
