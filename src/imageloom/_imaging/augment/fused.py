"""Warps, flips and rescales an image in two passes over its pixels instead of five.

It covers what most scripts need: byte images, bilinear interpolation, fill modes other than constant
ones, and nothing between the geometry and a multiplication. The result differs from that of the single
steps only by rounding in float32: of the values (3e-7 of the largest) and, because flips are part of
the matrix here, of the warp's positions (0.01 grey levels in photographs).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.batch import MirroredWarp
from imageloom._imaging.augment.bilinear import BORDERS, EXACT_CHANNELS, MAX_SIDE, warp_bilinear
from imageloom._imaging.augment.colour import flip
from imageloom._options import TransformOptions

__all__ = ["can_fuse", "fits", "transform_and_scale"]

# With constant modes, the last bit of a position decides which border pixels count as outside.
_CONTINUED: Final = frozenset(BORDERS) - {"constant", "grid-constant"}


def can_fuse(options: TransformOptions) -> bool:
    """Whether the options change no colours, interpolate bilinearly, and continue the borders."""
    geometry_only = not options.recolours and not options.channel_shift_range
    return geometry_only and options.interpolation_order == 1 and options.fill_mode in _CONTINUED


def fits(x: NDArray[Any], out: NDArray[Any]) -> bool:
    """Whether `x` is an image of bytes, and `out` an array of its shape to which OpenCV can write."""
    return (
        x.dtype == np.uint8
        and out.dtype == np.float32
        and x.shape == out.shape
        and out.flags.c_contiguous
        and x.shape[2] in EXACT_CHANNELS
        and max(x.shape) <= MAX_SIDE
    )


def transform_and_scale(
    x: NDArray[np.uint8],
    warp: MirroredWarp,
    factor: float,
    out: NDArray[np.float32],
    *,
    fill_mode: str,
) -> None:
    """Writes the transformed image, times `factor`, into `out`; requires `can_fuse` and `fits`."""
    if warp.matrix is None:
        mirrored = flip(x, horizontal=warp.horizontal, vertical=warp.vertical)
        np.multiply(mirrored, factor, out=out, dtype=np.float32)
        return
    scaled = x.astype(np.float32)
    scaled *= factor
    warp_bilinear(scaled, warp.matrix, BORDERS[fill_mode], out=out)
