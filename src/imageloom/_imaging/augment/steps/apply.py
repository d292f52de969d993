"""Applies all random steps to an image, or those that move pixels to a mask, in this order.

::

    random_crop -> rotation, shift, shear, zoom, flips -> perspective -> elastic
    -> channel shift, brightness, contrast, noise -> rand_augment
    -> hue and saturation -> grayscale -> blur -> jpeg_quality -> random_erasing
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine
from imageloom._imaging.augment.apply import GEOMETRY, apply_geometry, apply_transform
from imageloom._imaging.augment.colour import Scaling
from imageloom._imaging.augment.grid import Within
from imageloom._imaging.augment.steps.blur import blur
from imageloom._imaging.augment.steps.colours import change_colours, make_grey
from imageloom._imaging.augment.steps.crop import crop
from imageloom._imaging.augment.steps.elastic import distort
from imageloom._imaging.augment.steps.erasing import erase
from imageloom._imaging.augment.steps.jpeg import compress
from imageloom._imaging.augment.steps.perspective import change_perspective
from imageloom._imaging.augment.steps.rand_augment import apply_operations, move_by_operations
from imageloom._options import TransformOptions
from imageloom._options.steps import Elastic, Perspective

__all__ = ["apply_all", "move_mask"]

_MOVING: Final = ("perspective", "elastic")
_FURTHER: Final = (
    "rand_augment", "hue", "saturation", "grayscale", "blur", "jpeg_quality", "random_erasing",
)  # fmt: skip
_STEPS: Final = frozenset(("random_crop", *_MOVING, *_FURTHER))


def apply_all(
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
    """Applies all steps whose parameters are there; arguments and result as of `apply_transform`.

    A step that is not in `params` is left out, so that parameters of a user need no further keys.
    """
    if _STEPS.isdisjoint(params):  # as of nearly all generators
        return apply_transform(
            x, params, options, affine, scaling=scaling, from_bytes=from_bytes, to_bytes=to_bytes
        )
    if params.get("random_crop") is not None:
        x = crop(x, params["random_crop"])
    moves = _drawn(params, _MOVING)
    further = _drawn(params, _FURTHER)
    if not moves and not further:
        return apply_transform(
            x,
            params,
            options,
            affine,
            scaling=scaling,
            within=within,
            from_bytes=from_bytes,
            to_bytes=to_bytes,
        )
    if from_bytes and x.dtype == np.uint8:
        x = x.astype(np.float32)
    dtype = x.dtype
    if not moves:
        x = apply_transform(x, params, options, affine, within=within, from_bytes=from_bytes)
    else:
        geometry = {name: params[name] for name in GEOMETRY if name in params}
        colours = {name: value for name, value in params.items() if name not in GEOMETRY}
        x = apply_transform(x, geometry, options, affine, within=within)
        x = _moved(_as_single(x), params, options, nearest=options.interpolation_order == 0)
        x = apply_transform(x, colours, options)
    x = _recoloured(_as_single(x), params, options) if further else x
    return _as_dtype(x, dtype)


def move_mask(
    x: NDArray[Any], params: Mapping[str, Any], options: TransformOptions, affine: Affine | None = None
) -> NDArray[Any]:
    """Applies the steps that move pixels, but for the crop, to a mask.

    It picks the nearest pixel, and 0 beyond a constant border.
    """
    x = apply_geometry(x, params, options, affine)
    if _drawn(params, _MOVING):
        x = _moved(x, params, options, nearest=True, is_mask=True)
    operations = params.get("rand_augment")
    return move_by_operations(x, operations) if operations else x


def _drawn(params: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return any(params.get(name) is not None for name in names)


def _moved(
    x: NDArray[Any],
    params: Mapping[str, Any],
    options: TransformOptions,
    *,
    nearest: bool,
    is_mask: bool = False,
) -> NDArray[Any]:
    if params.get("perspective") is not None:
        how = options.perspective or Perspective()
        fill = 0.0 if is_mask else how.fill_value
        x = change_perspective(x, params["perspective"], fill_value=fill, nearest=nearest)
    if params.get("elastic") is not None:
        found = options.elastic or Elastic()
        fill = 0.0 if is_mask else found.fill_value
        x = distort(x, params["elastic"], fill_mode=found.fill_mode, fill_value=fill, nearest=nearest)
    return x


def _recoloured(
    x: NDArray[np.float32], params: Mapping[str, Any], options: TransformOptions
) -> NDArray[np.float32]:
    if params.get("rand_augment"):
        nearest = options.interpolation_order == 0
        x = apply_operations(x, params["rand_augment"], nearest=nearest)
    hue, saturation = params.get("hue"), params.get("saturation")
    if hue is not None or saturation is not None:
        x = change_colours(x, hue, saturation)
    if params.get("grayscale"):
        x = make_grey(x)
    if params.get("blur") is not None:
        x = blur(x, params["blur"])
    if params.get("jpeg_quality") is not None:
        x = compress(x, params["jpeg_quality"])
    if params.get("random_erasing") is not None:
        x = erase(x, params["random_erasing"])
    return x


def _as_single(x: NDArray[Any]) -> NDArray[np.float32]:
    return x.astype(np.float32, copy=False)


def _as_dtype(x: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The pixels in the image's dtype; bytes become float32, as behind a change of brightness."""
    if dtype == np.uint8:
        return x
    return (np.rint(x) if dtype.kind in "iu" else x).astype(dtype, copy=False)
