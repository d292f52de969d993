"""Applies a transform to an image; the result depends on the image and the parameters only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine, affine_matrix, is_identity, warp
from imageloom._imaging.augment.bilinear import MAX_SIDE
from imageloom._imaging.augment.colour import (
    Scaling,
    adjust_brightness,
    adjust_contrast,
    flip,
    shift_bytes,
    shift_channels,
)
from imageloom._imaging.augment.cut_off import cut_off, is_regular
from imageloom._imaging.augment.grid import Within
from imageloom._imaging.augment.noise import FULL_SCALE, add_noise
from imageloom._options import Noise, TransformOptions

__all__ = ["GEOMETRY", "apply_geometry", "apply_transform", "scale_warning"]

GEOMETRY: Final = ("theta", "tx", "ty", "shear", "zx", "zy", "flip_horizontal", "flip_vertical")

_FEW_ERRORS: Final = 256  # pixels of a side: up to there, float32 errs in a thousandth of the values
_SCALE_WARNING: Final = (
    "{steps} need pixels on the 0..255 scale; pixels in "
    "{low:.4g}..{high:.4g} were found in {name}. Scale with `rescale`, which runs after these "
    "transforms, and not before, as in `noaug_preprocessing_function` or in an array."
)


def apply_transform(
    x: NDArray[Any],
    params: Mapping[str, Any],
    options: TransformOptions,
    affine: Affine | None = None,
    *,
    scaling: Scaling | None = None,
    within: Within | None = None,
    from_bytes: bool = False,
    to_bytes: bool = False,
) -> NDArray[Any]:
    """Applies the affine step, channel shift, flips, brightness, contrast and noise, in this order.

    Args:
        x: the image (height, width, channels), of any numeric dtype; colour steps expect 0..255.
        params: keys as in `default_transform`; a step whose key is missing is left out.
        options: only the fill mode and value, the interpolation order and the geometry are used.
        affine: the matrix and offset of these parameters, if they are known already.
        scaling: the next step, which brightness, contrast or noise take over if they are the last.
        within: what is not beyond a constant border, as `columns_within` returns it, if it is known.
        from_bytes: whether it is known that all values are in 0..255. If `x` consists of bytes, they
            stand for numbers of float32, which take longer to move.
        to_bytes: whether the result may consist of bytes: the caller cuts fractions off, or does not
            care how numbers without a fraction are stored.

    Returns:
        The transformed image, which may be a view, or `x` itself if no step changes it. It is
        `scaling.out` if that has been done.
    """
    brightness, contrast = params.get("brightness"), params.get("contrast")
    shift = params.get("channel_shift_intensity")
    in_range = from_bytes and options.interpolation_order <= 1
    in_range &= "constant" not in options.fill_mode or 0 <= options.cval <= FULL_SCALE
    noise = params.get("noise")
    as_floats = from_bytes and x.dtype == np.uint8
    recolours = not (brightness is None and contrast is None)
    becomes_single = as_floats or recolours or noise is not None
    given = x
    if affine is not None or not is_identity(params):
        affine = affine or affine_matrix(
            params, x.shape[0], x.shape[1], corrected=options.corrected_geometry
        )
        matrix, offset = affine
        fill_mode, cval, order = options.fill_mode, options.cval, options.interpolation_order
        how: Any = {"fill_mode": fill_mode, "cval": cval}
        warped = warp(x, matrix, offset, order=order, as_floats=as_floats, within=within, **how)
        if recolours and shift is None and _may_cut_off(x, warped, options, in_range=in_range):
            # Keras' pixels are met within 1.5 levels, unless the next step makes several of one.
            exact = abs(brightness or 0) > 1 and (
                max(x.shape[:2]) > _FEW_ERRORS or is_regular(matrix, offset, x.shape[:2])
            )
            warped = cut_off(warped, x, matrix, offset, exact=exact, **how)
        x = warped
    if shift is not None:
        x = x.astype(np.float32, copy=False) if as_floats else x
        if recolours and in_range and x.dtype == np.float32 and x.size:
            x = shift_bytes(x, shift)  # fractions are cut off next
        else:
            x = shift_channels(x, shift, in_place=x is not given and x.dtype == np.float32)
    if params.get("flip_horizontal") or params.get("flip_vertical"):
        x = flip(
            x,
            horizontal=bool(params.get("flip_horizontal")),
            vertical=bool(params.get("flip_vertical")),
        )
    last = None if noise is not None else scaling
    if brightness is not None:
        x = adjust_brightness(x, brightness, last if contrast is None else None, in_range=in_range)
    if contrast is not None:
        x = adjust_contrast(x, contrast, last, in_range=in_range)
    if noise is not None:
        record = noise if isinstance(noise, Noise) else Noise(noise)
        x = add_noise(x, record, in_range=in_range, out=None if scaling is None else scaling.out)
        if scaling is not None and scaling.factor != 1:
            x *= np.float32(scaling.factor)
    return x.astype(np.float32) if becomes_single and x.dtype == np.uint8 and not to_bytes else x


def _may_cut_off(
    x: NDArray[Any], warped: NDArray[Any], options: TransformOptions, *, in_range: bool
) -> bool:
    """Whether the next step cuts off fractions, and `cut_off` knows those of the warped image."""
    blended = options.interpolation_order == 1 and max(x.shape[:2]) <= MAX_SIDE
    if not blended or warped.dtype.kind != "f" or options.fill_mode == "grid-constant":
        return False
    return in_range or (warped.min() >= 0 and warped.max() <= FULL_SCALE)


def apply_geometry(
    x: NDArray[Any], params: Mapping[str, Any], options: TransformOptions, affine: Affine | None = None
) -> NDArray[Any]:
    """Applies only the affine step and the flips, as masks need it.

    It picks the nearest pixel instead of blending, and the value beyond the border is 0. Arguments as
    of `apply_transform`.
    """
    geometry = {name: params[name] for name in GEOMETRY if name in params}
    return apply_transform(x, geometry, replace(options, interpolation_order=0, cval=0.0), affine)


def scale_warning(x: NDArray[Any], name: str, *, only_shift: bool = False) -> str | None:
    """A warning for an image that is evidently not on the 0..255 scale; None for any other image.

    Args:
        x: the image.
        name: the image in words.
        only_shift: whether the channel shift is the only step that changes colours. It suits every
            scale but 0..1, on which a shift by some grey levels leaves nothing of the image.
    """
    low, high = float(x.min()), float(x.max())
    fractions = low >= 0 and high <= 1 and not np.all((x == 0) | (x == 1))
    if fractions or (not only_shift and (low < 0 or high > 255)):
        steps = "Channel shifts" if only_shift else "Brightness, contrast, noise and channel shifts"
        return _SCALE_WARNING.format(steps=steps, low=low, high=high, name=name)
    return None
