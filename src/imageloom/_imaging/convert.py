"""Converts between Pillow images and arrays, as Keras' functions of the same names do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from PIL import Image

from imageloom._adapters.keras import configured
from imageloom._checks.keywords import explained
from imageloom._checks.values import as_dtype, check_choice
from imageloom._errors import InvalidArgumentError
from imageloom._public import public
from imageloom._warnings import Code, warn_user

__all__ = ["array_to_img", "img_to_array", "save_img"]

_DATA_FORMATS = ("channels_last", "channels_first")
_PILLOW_NAMES = {"jpg": "jpeg", "tif": "tiff"}


@public
@explained("array_to_img")
def array_to_img(
    x: ArrayLike,
    data_format: str | None = None,
    scale: bool = True,
    dtype: DTypeLike | None = None,
) -> Image.Image:
    """Converts an array of rank 3 to a Pillow image.

    Args:
        x: the array, (height, width, channels), or (channels, height, width) with `"channels_first"`.
        data_format: the position of the channels, `"channels_last"` or `"channels_first"`; None takes
            what is configured in Keras, or else `"channels_last"`.
        scale: whether to stretch the range of the values to 0..255. Without it, the values are
            converted to bytes as they are.
        dtype: the dtype of the computation; None takes Keras' `floatx`, or else float32.

    Returns:
        An image of mode L, RGB or RGBA. A single channel with values above 255 gives mode I (32 bits).

    Raises:
        InvalidArgumentError: The rank is not 3, or the number of channels is not 1, 3 or 4.
    """
    data_format = _layout(data_format)
    array = np.asarray(x, dtype=_float_dtype(dtype))
    if array.ndim != 3:
        raise InvalidArgumentError(
            f"Expected image array to have rank 3 (single image). Got array with shape: {array.shape}"
        )
    if data_format == "channels_first":
        array = array.transpose(1, 2, 0)
    if scale:
        array = array - np.min(array)
        peak = np.max(array)
        if peak != 0:
            array /= peak
        array *= 255
    channels = array.shape[2]
    if channels == 1:
        wide = np.max(array) > 255
        return Image.fromarray(array[:, :, 0].astype("int32" if wide else "uint8"))
    if channels in (3, 4):
        return Image.fromarray(array.astype("uint8"))
    raise InvalidArgumentError(f"Unsupported channel number: {channels}")


@public
@explained("img_to_array")
def img_to_array(
    img: Image.Image | NDArray[Any],
    data_format: str | None = None,
    dtype: DTypeLike | None = None,
) -> NDArray[Any]:
    """Converts a Pillow image to an array of rank 3; grey images get an axis of one channel.

    Args:
        img: the image, or an array of rank 2 or 3.
        data_format: `"channels_last"` for (height, width, channels), or `"channels_first"` for
            (channels, height, width); None takes what is configured in Keras.
        dtype: the dtype of the array; None takes Keras' `floatx`, or else float32.

    Raises:
        InvalidArgumentError: The rank is neither 2 nor 3.
    """
    data_format = _layout(data_format)
    array = np.asarray(img, dtype=_float_dtype(dtype))
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise InvalidArgumentError(f"Unsupported image shape: {array.shape}")
    return array.transpose(2, 0, 1) if data_format == "channels_first" else array


@public
def save_img(
    path: str | os.PathLike[str] | IO[bytes],
    x: ArrayLike,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Writes an array to an image file.

    Args:
        path: the name of the file, or a binary file object.
        x: the array, as for `array_to_img`.
        data_format: the position of the channels; None takes what is configured in Keras.
        file_format: the format of the file; by default, the suffix of `path`.
        scale: whether to stretch the range of the values to 0..255.
        **kwargs: further arguments of Pillow's `Image.save`.
    """
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = Path(path).suffix[1:].lower()
    if file_format is not None:
        file_format = _PILLOW_NAMES.get(file_format.lower(), file_format)
    image = array_to_img(x, data_format=data_format, scale=scale)
    if image.mode == "RGBA" and file_format == "jpeg":
        warn_user(
            "The JPEG format does not support RGBA images, converting to RGB.",
            code=Code.JPEG_WITHOUT_ALPHA,
        )
        image = image.convert("RGB")
    image.save(path, format=file_format, **kwargs)


def _layout(data_format: str | None) -> str:
    if data_format is None:
        return configured("image_data_format", "channels_last")
    check_choice("data_format", data_format, _DATA_FORMATS)
    return data_format


def _float_dtype(dtype: DTypeLike | None) -> np.dtype[Any]:
    return as_dtype(configured("floatx", "float32") if dtype is None else dtype)
