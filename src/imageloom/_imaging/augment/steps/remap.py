"""Reads an image at given places, between its pixels and beyond its border."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import InvalidArgumentError
from imageloom._imaging.augment.bilinear import MAX_SIDE
from imageloom._imaging.augment.grid import nearest as nearest_pixel
from imageloom._imaging.opencv import cv2

__all__ = ["by_channels", "pick_at", "read_at"]

_BORDERS: Final = {
    "constant": cv2.BORDER_CONSTANT,
    "nearest": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "mirror": cv2.BORDER_REFLECT_101,
    "wrap": cv2.BORDER_WRAP,
}
_AT_ONCE: Final = 4  # channels that OpenCV moves
# Pixels for which it moves four channels in less time than three, with the same bits.
_FEW: Final = 2**13
_MANY: Final = 2**17


def by_channels(function: Callable[[NDArray[Any]], Any], x: NDArray[Any]) -> NDArray[Any]:
    """Applies a function of OpenCV, which takes four channels at most, to an image of any number."""
    parts = []
    for first in range(0, x.shape[2], _AT_ONCE):
        found = function(np.ascontiguousarray(x[..., first : first + _AT_ONCE]))
        parts.append(found if found.ndim == 3 else found[..., None])
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def read_at(
    x: NDArray[np.float32],
    columns: NDArray[np.float32],
    rows: NDArray[np.float32],
    *,
    fill_mode: str,
    fill_value: float = 0.0,
) -> NDArray[np.float32]:
    """The values of an image at places (columns, rows), one for each pixel of the result.

    Args:
        x: the image (height, width, channels).
        columns: where each pixel of the result is read, (height, width) of the result.
        rows: likewise.
        fill_mode: what is beyond the border, as for `ImageDataGenerator`.
        fill_value: the value there, with `"constant"`.

    Raises:
        InvalidArgumentError: A side is too long for OpenCV.
    """
    if max(x.shape[:2]) >= MAX_SIDE:
        raise InvalidArgumentError(
            f"`elastic` needs images of less than {MAX_SIDE} pixels a side; received {x.shape[0]} x "
            f"{x.shape[1]}. Resize them, or leave out this option."
        )
    border, value = _BORDERS[fill_mode], (fill_value,) * _AT_ONCE

    def remapped(part: NDArray[Any]) -> Any:
        pads = part.shape[2] == 3 and _FEW <= part.shape[0] * part.shape[1] <= _MANY
        source = cv2.cvtColor(part, cv2.COLOR_RGB2RGBA) if pads else part
        found = cv2.remap(source, columns, rows, cv2.INTER_LINEAR, borderMode=border, borderValue=value)
        return cv2.cvtColor(found, cv2.COLOR_RGBA2RGB) if pads else found

    return by_channels(remapped, x)


def pick_at(
    x: NDArray[Any],
    columns: NDArray[Any],
    rows: NDArray[Any],
    *,
    fill_mode: str,
    fill_value: float = 0.0,
) -> NDArray[Any]:
    """The nearest pixels to places, of an image of any dtype; arguments as of `read_at`."""
    height, width = x.shape[:2]
    picked = x[nearest_pixel(rows, height, fill_mode), nearest_pixel(columns, width, fill_mode)]
    if fill_mode == "constant":
        inside = (rows >= -0.5) & (rows < height - 0.5) & (columns >= -0.5) & (columns < width - 0.5)
        picked[~inside] = np.asarray(fill_value).astype(x.dtype)
    return picked
