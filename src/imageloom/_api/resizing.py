"""Keras' `smart_resize`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from imageloom._adapters.resizing import resize_tensor
from imageloom._checks.keywords import explained
from imageloom._checks.values import check_choice
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._imaging.smart_resize import KERNELS, cover
from imageloom._public import public

__all__ = ["smart_resize"]


@public
@explained("smart_resize")
def smart_resize(
    x: Any,
    size: Sequence[int],
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
    **kwargs: Any,
) -> Any:
    """Resizes images without distortion: it first crops them to the new aspect ratio.

    The part about the centre is kept. Keras computes with the framework that it runs on. Here, arrays
    are computed with NumPy, and the numbers are those of Keras' JAX backend. (Its other backends round
    differently, and torch's bicubic filter is another one.) Tensors are given to Keras, which is
    imported for them.

    Args:
        x: an image (height, width, channels), or several (count, height, width, channels), as an array,
            a list of numbers, or a tensor of Keras' framework.
        size: the (height, width) of the result.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`. None of
            them averages over the pixels that a smaller image leaves out.
        data_format: `"channels_last"`, or `"channels_first"` for (channels, height, width).
        **kwargs: `backend_module`, which Keras takes: the framework to compute tensors with. (Before
            Keras 3.14 it is also taken by position; here it is not.)

    Returns:
        An array for an array or a list, and a tensor for a tensor. The dtype of an array is float32, or
        float16 if `x` has that one; `"nearest"` keeps the dtype, except that float64 becomes float32.

    Raises:
        InvalidArgumentError: The size, the rank, the interpolation or the layout is not allowed.
        ArgumentTypeError: `size` is no pair of integers, or there is another keyword.
    """
    unknown = sorted(set(kwargs) - {"backend_module"})
    if unknown:
        raise ArgumentTypeError(f"smart_resize() got unexpected keyword arguments: {unknown}")
    if not isinstance(x, (np.ndarray, list, tuple)):
        return resize_tensor(x, size, interpolation, data_format, **kwargs)
    height, width = _size(size)
    image = np.asarray(x)
    if image.ndim not in (3, 4) or 0 in image.shape[-3:]:
        raise InvalidArgumentError(
            "Expected an image array with shape `(height, width, channels)`, or `(batch_size, height, "
            "width, channels)`, but got input with incorrect rank or without pixels, of shape "
            f"{image.shape}."
        )
    check_choice("data_format", data_format, ("channels_last", "channels_first"))
    check_choice("interpolation", interpolation, tuple(KERNELS))
    axis = -3 if data_format == "channels_last" else -2
    return cover(image, (height, width), interpolation, axis)


def _size(size: Any) -> tuple[int, int]:
    message = f"Expected `size` to be a tuple of 2 integers >= 1, but got: {size!r}."
    try:
        count = len(size)
    except TypeError:
        raise ArgumentTypeError(message) from None
    if count != 2:
        raise InvalidArgumentError(message)
    try:
        height, width = (int(side.__index__()) for side in size)
    except AttributeError:
        raise ArgumentTypeError(message) from None
    if height < 1 or width < 1:
        raise InvalidArgumentError(message)
    return height, width
