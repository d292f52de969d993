"""Keras' functions of single images beside its generator: `random_*` and `apply_*`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imageloom._checks.values import check_number
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._imaging.augment.any_axes import brighten, shift_channels_along, warp_along
from imageloom._pipeline.seeds import global_state
from imageloom._public import public

__all__ = [
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
]


@public
def apply_affine_transform(
    x: ArrayLike,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> NDArray[Any]:
    """Rotates, shifts, shears and zooms an image in one resampling, about its centre.

    As in Keras, an image that is not square turns about another point, because the middles of its rows
    and columns are exchanged.

    Args:
        x: the image, of rank 3; by default (channels, height, width).
        theta: the rotation in degrees; positive values turn counter-clockwise.
        tx: the shift in pixels; positive values move the picture to the left.
        ty: the shift in pixels; positive values move the picture up.
        shear: the shear angle in degrees.
        zx: the horizontal zoom; a factor above 1 makes the picture smaller.
        zy: the vertical zoom.
        row_axis: the number of the axis of the rows, 0 to 2.
        col_axis: the number of the axis of the columns.
        channel_axis: the number of the axis of the channels, 0 or 2.
        fill_mode: how the image is continued beyond its border: `"constant"`, `"nearest"`, `"reflect"`,
            `"wrap"` (the pattern that Keras documents), or another mode of the generator's.
        cval: the value beyond the border, with `"constant"`.
        order: the order of the interpolation, 0 to 5. Above 1 needs SciPy.

    Returns:
        An image of the same shape and dtype, or `x` itself if nothing moves. Whole numbers are rounded.

    Raises:
        InvalidArgumentError: The rank is not 3, the axes are not 0, 1 and 2, or the channels lie
            between rows and columns. It is also raised for a fill mode or an order that does not exist,
            and then is a `RuntimeError` as well, which is what Keras raises.
        ArgumentTypeError: A parameter is not a number.
        MissingDependencyError: The order is above 1, and SciPy is not installed.
    """
    params = {"theta": theta, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy}
    for name, value in params.items():
        check_number(name, value)
    return warp_along(
        x,
        params,
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=order,
    )


@public
def random_rotation(
    x: ArrayLike,
    rg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> NDArray[Any]:
    """Rotates an image by an angle that is drawn from NumPy's global generator.

    Args:
        x: the image, of rank 3; by default (channels, height, width).
        rg: the range in degrees; the angle is uniform in -rg..rg.
        row_axis: the number of the axis of the rows.
        col_axis: the number of the axis of the columns.
        channel_axis: the number of the axis of the channels, 0 or 2.
        fill_mode: as of `apply_affine_transform`.
        cval: the value beyond the border, with the fill mode `"constant"`.
        interpolation_order: as `order` of `apply_affine_transform`.

    Returns:
        An image of the same shape and dtype. Errors are those of `apply_affine_transform`.
    """
    check_number("rg", rg)
    theta = global_state().uniform(-rg, rg)
    return apply_affine_transform(
        x,
        theta=theta,
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=interpolation_order,
    )


@public
def random_shift(
    x: ArrayLike,
    wrg: float,
    hrg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> NDArray[Any]:
    """Shifts an image by distances that are drawn from NumPy's global generator.

    As in Keras, the share `hrg` of the height moves the picture sideways, and the share `wrg` of the
    width moves it up or down.

    Args:
        x: the image, of rank 3; by default (channels, height, width).
        wrg: the range as a share of the width; the share is uniform in -wrg..wrg.
        hrg: the range as a share of the height, which is drawn first.
        row_axis: the number of the axis of the rows.
        col_axis: the number of the axis of the columns.
        channel_axis: the number of the axis of the channels, 0 or 2.
        fill_mode: as of `apply_affine_transform`.
        cval: the value beyond the border, with the fill mode `"constant"`.
        interpolation_order: as `order` of `apply_affine_transform`.

    Returns:
        An image of the same shape and dtype. Errors are those of `apply_affine_transform`.
    """
    check_number("wrg", wrg)
    check_number("hrg", hrg)
    shape, state = np.shape(x), global_state()
    height, width = shape[row_axis], shape[col_axis]
    tx = state.uniform(-hrg, hrg) * height
    ty = state.uniform(-wrg, wrg) * width
    return apply_affine_transform(
        x,
        tx=tx,
        ty=ty,
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=interpolation_order,
    )


@public
def random_shear(
    x: ArrayLike,
    intensity: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> NDArray[Any]:
    """Shears an image by an angle that is drawn from NumPy's global generator.

    Args:
        x: the image, of rank 3; by default (channels, height, width).
        intensity: the range in degrees; the angle is uniform in -intensity..intensity.
        row_axis: the number of the axis of the rows.
        col_axis: the number of the axis of the columns.
        channel_axis: the number of the axis of the channels, 0 or 2.
        fill_mode: as of `apply_affine_transform`.
        cval: the value beyond the border, with the fill mode `"constant"`.
        interpolation_order: as `order` of `apply_affine_transform`.

    Returns:
        An image of the same shape and dtype. Errors are those of `apply_affine_transform`.
    """
    check_number("intensity", intensity)
    shear = global_state().uniform(-intensity, intensity)
    return apply_affine_transform(
        x,
        shear=shear,
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=interpolation_order,
    )


@public
def random_zoom(
    x: ArrayLike,
    zoom_range: Sequence[float],
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> NDArray[Any]:
    """Zooms an image by two factors that are drawn from NumPy's global generator.

    Args:
        x: the image, of rank 3; by default (channels, height, width).
        zoom_range: the bounds (low, high) of both factors; a factor above 1 makes the picture smaller.
            (1, 1) draws nothing.
        row_axis: the number of the axis of the rows.
        col_axis: the number of the axis of the columns.
        channel_axis: the number of the axis of the channels, 0 or 2.
        fill_mode: as of `apply_affine_transform`.
        cval: the value beyond the border, with the fill mode `"constant"`.
        interpolation_order: as `order` of `apply_affine_transform`.

    Returns:
        An image of the same shape and dtype. Errors are those of `apply_affine_transform`, and those
        of a `zoom_range` that is no pair.
    """
    low, high = _pair("zoom_range", zoom_range)
    zx, zy = (1, 1) if low == high == 1 else global_state().uniform(low, high, 2)
    return apply_affine_transform(
        x,
        zx=zx,
        zy=zy,
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=interpolation_order,
    )


@public
def apply_channel_shift(x: ArrayLike, intensity: float, channel_axis: int = 0) -> NDArray[Any]:
    """Adds a value to all channels of an image, and clips to the range of the image.

    Args:
        x: the image, by default (channels, height, width).
        intensity: what is added, in grey levels.
        channel_axis: the number of the axis of the channels. As in Keras, a negative number moves that
            axis to another place.

    Returns:
        The image; of whole numbers and a fraction it is float64.
    """
    return shift_channels_along(x, intensity, channel_axis)


@public
def random_channel_shift(x: ArrayLike, intensity_range: float, channel_axis: int = 0) -> NDArray[Any]:
    """Adds one value to all channels; it is drawn from NumPy's global generator.

    Args:
        x: the image, by default (channels, height, width).
        intensity_range: the range in grey levels; the value is uniform in
            -intensity_range..intensity_range.
        channel_axis: as of `apply_channel_shift`.

    Returns:
        The image, as `apply_channel_shift` returns it.
    """
    check_number("intensity_range", intensity_range)
    intensity = global_state().uniform(-intensity_range, intensity_range)
    return apply_channel_shift(x, intensity, channel_axis=channel_axis)


@public
def apply_brightness_shift(x: ArrayLike, brightness: float, scale: bool = True) -> NDArray[Any]:
    """Blends an image with black.

    Args:
        x: the image (height, width, channels) with 1, 3 or 4 channels; an alpha channel stays as it is.
            If Keras is configured for channels first, so is this image.
        brightness: 0.0 gives black, 1.0 the image, and a factor above 1 a brighter one.
        scale: whether to stretch the values to 0..255 first, and to leave them there. Without it,
            fractions are cut off, and only an image with values outside 0..255 is stretched and
            stretched back afterwards.

    Returns:
        The image as float32, or as the dtype that Keras' `floatx` names.

    Raises:
        InvalidArgumentError: The rank is not 3, or the number of channels is not 1, 3 or 4.
        ArgumentTypeError: `brightness` is not a number.
    """
    check_number("brightness", brightness)
    if np.size(x) == 0:
        raise InvalidArgumentError(f"`x` must have pixels; received shape {np.shape(x)}.")
    return brighten(x, brightness, stretch=bool(scale))


@public
def random_brightness(
    x: ArrayLike, brightness_range: Sequence[float], scale: bool = True
) -> NDArray[Any]:
    """Blends an image with black, by a factor that is drawn from NumPy's global generator.

    Args:
        x: the image, as for `apply_brightness_shift`.
        brightness_range: the bounds (low, high) of the factor.
        scale: as of `apply_brightness_shift`.

    Returns:
        The image, as `apply_brightness_shift` returns it. Errors are those of that function, and those
        of a `brightness_range` that is no pair.
    """
    low, high = _pair("brightness_range", brightness_range)
    return apply_brightness_shift(x, global_state().uniform(low, high), scale)


def _pair(name: str, pair: Any) -> tuple[float, float]:
    """Returns the two bounds of a range."""
    message = f"`{name}` should be a tuple or list of two floats. Received: {pair!r}"
    try:
        count = len(pair)
    except TypeError:
        raise ArgumentTypeError(message) from None
    if count != 2:
        raise InvalidArgumentError(message)
    for bound in pair:
        check_number(name, bound)
    return pair[0], pair[1]
