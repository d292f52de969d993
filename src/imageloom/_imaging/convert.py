"""Between Pillow images and arrays, with the meaning of Keras' `array_to_img` and friends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from PIL import Image

from imageloom._checks import check_choice
from imageloom._errors import InvalidArgumentError
from imageloom._public import public
from imageloom._warnings import warn_user

__all__ = ["array_to_img", "img_to_array", "save_img"]

_DATA_FORMATS = ("channels_last", "channels_first")
_PILLOW_NAMES = {"jpg": "jpeg", "tif": "tiff"}


@public
def array_to_img(
    x: ArrayLike,
    data_format: str = "channels_last",
    scale: bool = True,
    dtype: DTypeLike = "float32",
) -> Image.Image:
    """A Pillow image of a rank 3 array.

    Args:
        x: (height, width, channels), or (channels, height, width) with `"channels_first"`.
        data_format: where the channels are.
        scale: stretch the array's range to 0..255; else values are cut to bytes as they are.
        dtype: dtype of the arithmetic.

    Returns:
        Mode L, RGB or RGBA; one channel with values above 255 becomes mode I (32 bit).

    Raises:
        InvalidArgumentError: rank other than 3, or channels other than 1, 3, 4.
    """
    check_choice("data_format", data_format, _DATA_FORMATS)
    array = np.asarray(x, dtype=dtype)
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
def img_to_array(
    img: Image.Image | NDArray[Any],
    data_format: str = "channels_last",
    dtype: DTypeLike = "float32",
) -> NDArray[Any]:
    """A rank 3 array of a Pillow image; grey images get a channel axis.

    Args:
        img: the image, or an array of rank 2 or 3.
        data_format: `"channels_last"` for (height, width, channels), or `"channels_first"`.
        dtype: of the array.

    Raises:
        InvalidArgumentError: something that is neither rank 2 nor rank 3.
    """
    check_choice("data_format", data_format, _DATA_FORMATS)
    array = np.asarray(img, dtype=dtype)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise InvalidArgumentError(f"Unsupported image shape: {array.shape}")
    return array.transpose(2, 0, 1) if data_format == "channels_first" else array


@public
def save_img(
    path: str | os.PathLike[str] | IO[bytes],
    x: ArrayLike,
    data_format: str = "channels_last",
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Writes an array as an image file; arguments as in `array_to_img`.

    Args:
        path: file name or binary file object.
        x: the image.
        data_format: where the channels are.
        file_format: the format; by default the suffix of `path` says it.
        scale: stretch the array's range to 0..255.
        **kwargs: passed on to Pillow's `Image.save`.
    """
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = Path(path).suffix[1:].lower()
    if file_format is not None:
        file_format = _PILLOW_NAMES.get(file_format.lower(), file_format)
    image = array_to_img(x, data_format=data_format, scale=scale)
    if image.mode == "RGBA" and file_format == "jpeg":
        warn_user("The JPEG format does not support RGBA images, converting to RGB.")
        image = image.convert("RGB")
    image.save(path, format=file_format, **kwargs)
