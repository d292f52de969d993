"""Reads an image at given places, between its pixels and beyond its border."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.opencv import cv2

__all__ = ["by_channels", "perspective_warp", "read_at"]

_BORDERS: Final = {
    "constant": cv2.BORDER_CONSTANT,
    "nearest": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "mirror": cv2.BORDER_REFLECT_101,
    "wrap": cv2.BORDER_WRAP,
}
_AT_ONCE: Final = 4  # channels that OpenCV moves


def by_channels(function: Any, x: NDArray[Any]) -> NDArray[Any]:
    """Applies a function of OpenCV, which takes four channels at most, to an image of any number."""
    channels = x.shape[2]
    parts = [
        function(np.ascontiguousarray(x[..., first : first + _AT_ONCE])).reshape(*x.shape[:2], -1)
        for first in range(0, channels, _AT_ONCE)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def read_at(
    x: NDArray[Any],
    columns: NDArray[np.float32],
    rows: NDArray[np.float32],
    *,
    fill_mode: str,
    fill_value: float = 0.0,
    nearest: bool = False,
) -> NDArray[Any]:
    """The pixels of an image at places (columns, rows), one for each pixel of the result.

    Args:
        x: the image (height, width, channels), float32 or an integer type.
        columns: where each pixel of the result is read, (height, width).
        rows: likewise.
        fill_mode: what is beyond the border, as for `ImageDataGenerator`.
        fill_value: the value there, with `"constant"`.
        nearest: take the nearest pixel instead of blending four.
    """
    border, value = _BORDERS[fill_mode], (fill_value,) * _AT_ONCE
    if nearest:
        columns, rows = np.rint(columns), np.rint(rows)
    method = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR

    def remapped(part: NDArray[Any]) -> Any:
        return cv2.remap(part, columns, rows, method, borderMode=border, borderValue=value)

    return by_channels(remapped, x)


def perspective_warp(
    x: NDArray[Any], matrix: NDArray[np.float64], *, fill_value: float = 0.0, nearest: bool = False
) -> NDArray[Any]:
    """The image whose pixel at (x, y) is that of `x` at `matrix @ (x, y, 1)`; constant beyond it."""
    height, width = x.shape[:2]
    method = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    flags = method | cv2.WARP_INVERSE_MAP
    value = (fill_value,) * _AT_ONCE

    def warped(part: NDArray[Any]) -> Any:
        return cv2.warpPerspective(part, matrix, (width, height), flags=flags, borderValue=value)

    return by_channels(warped, x)
