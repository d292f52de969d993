"""Warps, flips and rescales an image in two passes over its pixels instead of five.

It covers what most scripts need: byte images, bilinear interpolation, and nothing between the geometry
and a multiplication but a channel shift and noise, which change the result where it is. The result
differs from that of the single steps only by rounding in float32: of the values (3e-7 of the largest)
and, because flips are part of the matrix here, of the warp's positions (0.01 grey levels in
photographs). Which pixels are beyond a constant border, is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.applications import ImageNetScaling
from imageloom._imaging.augment.batch import MirroredWarp
from imageloom._imaging.augment.bilinear import (
    BORDERS,
    EXACT_CHANNELS,
    MAX_SIDE,
    constant_image,
    warp_bilinear,
)
from imageloom._imaging.augment.colour import flip, shift_channels
from imageloom._imaging.augment.grid import outside_of_grid
from imageloom._imaging.augment.noise import FULL_SCALE, add_noise
from imageloom._imaging.augment.warp_bytes import warp_bytes, warps_bytes
from imageloom._imaging.imagenet import can_scale, scale_in_place
from imageloom._imaging.normalise import StandardizeOptions, standardize
from imageloom._imaging.opencv import cv2
from imageloom._options import TransformOptions

__all__ = ["Fusion", "can_fuse", "fits", "fusion_of", "transform_and_scale"]

_EXACT: Final = (np.dtype(np.uint8), np.dtype(np.float32))  # what becomes float32 as it is


@dataclass(frozen=True, slots=True)
class Fusion:
    """The steps of a recipe that are done at once.

    Attributes:
        factor: what the pixels are multiplied by.
        fill_mode: that of the warp; None if images are flipped at most.
        cval: the value beyond a constant border.
        recolours: whether there may be a channel shift or noise.
        imagenet: what follows, if it is known.
        standardize: how the result is normalised at the end; None if it is not.
    """

    factor: float
    fill_mode: str | None
    cval: float = 0.0
    recolours: bool = False
    imagenet: ImageNetScaling | None = None
    standardize: StandardizeOptions | None = None

    def fits(self, x: NDArray[Any], out: NDArray[Any]) -> bool:
        """Whether `out` can be computed from the stored image `x`."""
        if out.dtype == np.uint8 and (
            self.factor != 1 or self.normalises or not 0 <= self.cval <= FULL_SCALE
        ):
            return False
        if self.imagenet is not None and not can_scale(self.imagenet, out):
            return False
        if self.fill_mode is not None:
            return fits(x, out)
        exact = x.dtype in _EXACT if out.dtype == np.float32 else x.dtype == out.dtype == np.uint8
        return exact and x.shape == out.shape

    def write(
        self,
        x: NDArray[Any],
        warp: MirroredWarp,
        out: NDArray[Any],
        colours: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes the transformed image into `out`; `colours` are its further parameters.

        `normalise` has to follow, if the fusion normalises.
        """
        mode = self.fill_mode or "nearest"
        factor = self.factor if colours is None else 1.0
        transform_and_scale(x, warp, factor, out, fill_mode=mode, cval=self.cval)
        if colours is not None:
            self._recolour(out, colours)

    @property
    def normalises(self) -> bool:
        """Whether `normalise` has anything to do."""
        return self.imagenet is not None or self.standardize is not None

    def normalise(self, out: NDArray[Any]) -> None:
        """Does the steps that follow, in place."""
        if self.imagenet is not None:
            scale_in_place(self.imagenet, out)
        if self.standardize is not None:
            standardize(out, self.standardize)

    def _recolour(self, out: NDArray[np.float32], colours: Mapping[str, Any]) -> None:
        shift, noise = colours.get("channel_shift_intensity"), colours.get("noise")
        if shift is not None:
            shift_channels(out, shift, in_place=True)
        if noise is not None:
            in_range = self.fill_mode != "constant" or 0 <= self.cval <= FULL_SCALE
            add_noise(out, noise, in_range=in_range, out=out)
        if self.factor != 1:
            out *= np.float32(self.factor)


def fusion_of(
    options: TransformOptions | None, factor: float | None, *, to_bytes: bool = False
) -> Fusion | None:
    """The fusion of a transform and a multiplication, or None if the steps have to be single ones.

    Args:
        options: what is drawn; None if nothing is.
        factor: what the pixels are multiplied by; None if they are not.
        to_bytes: whether the fractions of the results are cut off.
    """
    if options is None or options.only_flips or options.changes_nothing:
        return Fusion(1.0 if factor is None else factor, None)
    recolours = bool(options.noise or options.channel_shift_range)
    if (factor is not None or to_bytes) and can_fuse(options) and not (recolours and to_bytes):
        return Fusion(1.0 if factor is None else factor, options.fill_mode, options.cval, recolours)
    return None


def can_fuse(options: TransformOptions) -> bool:
    """Whether the options cut off no fractions, and interpolate bilinearly."""
    cuts_off = options.brightness_range is not None or options.contrast_range is not None
    return not cuts_off and options.interpolation_order == 1 and not options.has_steps


def fits(x: NDArray[Any], out: NDArray[Any]) -> bool:
    """Whether `x` is an image of bytes, and `out` an array of its shape to which OpenCV can write.

    Bytes may be written as bytes, without their fractions, if they are multiplied by nothing.
    """
    return (
        x.dtype == np.uint8
        and out.dtype in _EXACT
        and x.shape == out.shape
        and out.flags.c_contiguous
        and x.shape[2] in EXACT_CHANNELS
        and max(x.shape) <= MAX_SIDE
    )


def transform_and_scale(
    x: NDArray[Any],
    warp: MirroredWarp,
    factor: float,
    out: NDArray[Any],
    *,
    fill_mode: str,
    cval: float = 0.0,
) -> None:
    """Writes the transformed image, times `factor`, into `out`; requires `can_fuse` and `fits`."""
    if warp.matrix is None:
        mirrored = flip(x, horizontal=warp.horizontal, vertical=warp.vertical)
        if out.dtype == np.uint8:
            np.copyto(out, mirrored)
        else:
            np.multiply(mirrored, factor, out=out, dtype=np.float32)
        return
    by = None if factor == 1 else factor
    cval *= factor
    if out.dtype == np.uint8 and warps_bytes(x, fill_mode):
        warp_bytes(x, warp.matrix, fill_mode, out)
    else:
        warp_bilinear(x, warp.matrix, BORDERS[fill_mode], cval, factor=by, out=out)
    if fill_mode == "constant" and warp.affine is not None:
        beyond = outside_of_grid(*warp.affine, x.shape[0], x.shape[1], warp.within).view(np.uint8)
        beyond = flip(beyond, horizontal=warp.horizontal, vertical=warp.vertical)
        cv2.copyTo(constant_image(out.shape, cval, out.dtype), beyond, out)
