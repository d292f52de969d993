"""Resizes images to a size without distortion, as Keras' `smart_resize` does with its JAX backend.

Keras asks the framework that it runs on. Here the weights of JAX' `image.resize` without antialiasing
are computed with NumPy (https://github.com/jax-ml/jax, `jax/_src/image/scale.py`): a kernel about each
position, which is normalised so that the part of it that lies within the image has the sum 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["KERNELS", "cover"]

Floats = NDArray[np.float32]


def _triangle(x: Floats) -> Floats:
    return np.maximum(0, 1 - x)


def _cubic(x: Floats) -> Floats:
    """The kernel of Keys with a = -0.5 (IEEE Trans. ASSP 29(6), 1981)."""
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x >= 2, np.float32(0), np.where(x >= 1, far, near))


def _lanczos(radius: int) -> Callable[[Floats], Floats]:
    def kernel(x: Floats) -> Floats:
        values = radius * np.sin(np.pi * x) * np.sin(np.pi * x / radius)
        scaled = np.where(x > 1e-3, values / np.where(x != 0, np.pi**2 * x**2, 1), 1)
        return np.where(x > radius, 0, scaled).astype(np.float32)

    return kernel


# By interpolation; "nearest" has no kernel.
KERNELS: Final[Mapping[str, Callable[[Floats], Floats] | None]] = {
    "bilinear": _triangle,
    "nearest": None,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
    "bicubic": _cubic,
}


def cover(x: NDArray[Any], size: tuple[int, int], interpolation: str, axis: int) -> NDArray[Any]:
    """Crops images about their centre to the aspect ratio of `size`, and resizes them to it.

    Args:
        x: the images.
        size: the (height, width) of the result, at least 1.
        interpolation: a name in `KERNELS`.
        axis: the rows' axis, counted from the end: -3, or -2 with channels first. The columns follow.

    Returns:
        float32, or float16 if `x` has that dtype. "nearest" keeps the dtype, except that float64
        becomes float32.
    """
    (height, width), (rows, columns) = size, (x.shape[axis], x.shape[axis + 1])
    crop_rows = max(min(rows, int(float(columns * height) / width)), 1)
    crop_columns = max(min(columns, int(float(rows * width) / height)), 1)
    top, left = int((rows - crop_rows) / 2), int((columns - crop_columns) / 2)
    part: tuple[Any, ...] = (slice(top, top + crop_rows), slice(left, left + crop_columns))
    x = x[(..., *part, slice(None))] if axis == -3 else x[(..., *part)]
    kernel = KERNELS[interpolation]
    dtype = np.dtype(np.float32) if x.dtype == np.float64 else x.dtype
    if kernel is None:
        x = np.take(x, _nearest(crop_rows, height), axis)
        return np.take(x, _nearest(crop_columns, width), axis + 1).astype(dtype, copy=False)
    resized = x.astype(np.float32, copy=False)
    for one, before, after in ((axis, crop_rows, height), (axis + 1, crop_columns, width)):
        if before != after:
            weights = _weights(before, after, kernel)
            resized = np.moveaxis(np.tensordot(resized, weights, ([one], [0])), -1, one)
    return resized.astype(np.float16 if dtype == np.float16 else np.float32, copy=False)


def _nearest(before: int, after: int) -> NDArray[np.int32]:
    """The index of the pixel at the middle of each pixel of the result."""
    places = (np.arange(after, dtype=np.float32) + np.float32(0.5)) * np.float32(before)
    index: NDArray[np.int32] = np.floor(places / np.float32(after)).astype(np.int32)
    return index


def _weights(before: int, after: int, kernel: Callable[[Floats], Floats]) -> Floats:
    """The share (before, after) of each pixel in each pixel of the result."""
    places = (np.arange(after, dtype=np.float32) + np.float32(0.5)) * np.float32(before / after)
    places -= np.float32(0.5)
    weights = kernel(np.abs(places[None, :] - np.arange(before, dtype=np.float32)[:, None]))
    total = weights.sum(axis=0, keepdims=True)
    counts = np.abs(total) > 1000 * np.finfo(np.float32).eps
    return np.where(counts, weights / np.where(total != 0, total, 1), 0).astype(np.float32)
