"""The affine step and the colour steps of single images whose axes may have any order.

Keras' functions beside its generator take images whose axes the caller numbers. The warp is that of the
generator: the axes are put in its order before it, and back afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import ImageEnhance

from imageloom._errors import InvalidArgumentError
from imageloom._imaging.augment.affine import affine_matrix, is_identity, warp
from imageloom._imaging.convert import array_to_img, img_to_array
from imageloom._options import FILL_MODES

__all__ = ["UnsupportedWarpError", "brighten", "shift_channels_along", "warp_along"]

_ORDERS: Final = range(6)


class UnsupportedWarpError(InvalidArgumentError, RuntimeError):
    """There is no such fill mode or interpolation order; SciPy, and so Keras, raise a RuntimeError."""


def warp_along(
    x: ArrayLike,
    params: Mapping[str, Any],
    *,
    row_axis: int,
    col_axis: int,
    channel_axis: int,
    fill_mode: str,
    cval: float,
    order: int,
) -> NDArray[Any]:
    """Applies the affine step to an image of rank 3.

    Args:
        x: the image.
        params: theta, tx, ty, shear, zx and zy, as in `default_transform`; each may be missing.
        row_axis: the number of the axis of the rows.
        col_axis: the number of the axis of the columns.
        channel_axis: the number of the axis of the channels, the first or the last one.
        fill_mode: how the image is continued beyond its border.
        cval: the value beyond the border, with the fill mode "constant".
        order: the interpolation order.

    Returns:
        The image with its axes as before; `x` itself if the parameters are the identity.

    Raises:
        InvalidArgumentError: The axes are not 0, 1 and 2, or the image has another rank.
        UnsupportedWarpError: The fill mode or the order does not exist. As in Keras, nobody checks them
            for the identity.
    """
    image = np.asarray(x)
    _check_axes(image.shape, row_axis, col_axis, channel_axis)
    if is_identity(params):
        return image
    if fill_mode not in FILL_MODES:
        raise UnsupportedWarpError(
            f"Invalid fill_mode: `fill_mode` must be one of {', '.join(map(repr, FILL_MODES))}; "
            f"received {fill_mode!r}."
        )
    if order not in _ORDERS:
        raise UnsupportedWarpError(f"The interpolation order must be in 0..5; received {order!r}.")
    matrix, offset = affine_matrix(
        params, image.shape[row_axis], image.shape[col_axis], corrected=False
    )
    if col_axis < row_axis:  # then the first axis of each channel is that of the columns
        matrix, offset = matrix[::-1, ::-1], offset[::-1]
    warped = warp(
        np.moveaxis(image, channel_axis, -1),
        matrix,
        offset,
        fill_mode=fill_mode,
        cval=cval,
        order=int(order),
    )
    return np.moveaxis(warped, -1, channel_axis)


def _check_axes(shape: tuple[int, ...], row_axis: int, col_axis: int, channel_axis: int) -> None:
    axes = {"row_axis": row_axis, "col_axis": col_axis, "channel_axis": channel_axis}
    received = ", ".join(f"{name}={axis!r}" for name, axis in axes.items())
    if len(set(axes.values())) != len(axes):
        raise InvalidArgumentError(
            f"'row_axis', 'col_axis', and 'channel_axis' must be distinct; received {received}."
        )
    if set(axes.values()) != {0, 1, 2}:
        raise InvalidArgumentError(
            f"Invalid axis' indices: the axes must be 0, 1 and 2 in any order; received {received}."
        )
    if len(shape) != 3:
        raise InvalidArgumentError(
            f"Input arrays must be multi-channel 2D images, of rank 3; received shape {shape}."
        )
    if channel_axis == 1:
        raise InvalidArgumentError(
            f"The channels must be the first or the last axis; received {received}."
        )


def shift_channels_along(x: ArrayLike, intensity: float, channel_axis: int) -> NDArray[Any]:
    """Adds a value to all channels, and clips to the range of the image.

    The axis of the channels makes no difference to the values. It is moved to the front and back by
    Keras' very calls, because the way back is another one if the number is negative.
    """
    channels = np.rollaxis(np.asarray(x), channel_axis, 0)
    shifted = np.clip(channels + intensity, channels.min(), channels.max())
    return np.rollaxis(shifted, 0, channel_axis + 1)


def brighten(x: ArrayLike, factor: float, *, stretch: bool) -> NDArray[Any]:
    """Blends an image with black.

    Args:
        x: the image, in the layout that is configured in Keras.
        factor: 0.0 gives black, 1.0 the image.
        stretch: whether to stretch the values to 0..255 first, and to leave them there. Without it,
            only an image with values outside 0..255 is stretched, and stretched back afterwards.
    """
    low, high = np.min(x), np.max(x)
    beyond = bool(low < 0 or high > 255)
    image = array_to_img(x, scale=beyond or stretch)
    result = img_to_array(ImageEnhance.Brightness(image).enhance(factor))
    if beyond and not stretch:
        return result / 255 * (high - low) + low  # type: ignore[no-any-return]
    return result
