"""Compresses an image as a JPEG file and decodes it, so that it has the marks of the compression."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import InvalidArgumentError
from imageloom._imaging.augment.steps.colours import coloured_part
from imageloom._imaging.opencv import cv2

__all__ = ["compress", "draw_quality"]

_MAX_SIDE: Final = 65_500  # of libjpeg


def draw_quality(rng: np.random.Generator, bounds: tuple[int, int]) -> int:
    """Draws the quality of the file, both bounds included."""
    return int(rng.integers(bounds[0], bounds[1] + 1))


def compress(x: NDArray[np.float32], quality: int) -> NDArray[np.float32]:
    """Compresses an image (height, width, channels); a fourth channel stays as it is.

    The file has half as many colours as pixels in each direction (4:2:0), as libjpeg writes it where
    nothing else is asked for, and Pillow and TensorFlow with it.

    Raises:
        InvalidArgumentError: The image is too long for a JPEG file, or has not 1, 3 or 4 channels.
    """
    if max(x.shape[:2]) > _MAX_SIDE:
        raise InvalidArgumentError(
            f"JPEG files have at most {_MAX_SIDE} pixels a side; received {x.shape[0]} x {x.shape[1]}. "
            "Resize the images, or leave out `jpeg_quality_range`."
        )
    colours = coloured_part(x, "`jpeg_quality_range`")
    source = np.rint(np.clip(x if colours is None else colours, 0, 255)).astype(np.uint8)
    options = [
        cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]  # fmt: skip
    if colours is None:
        _, content = cv2.imencode(".jpg", source, options)
        grey: Any = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
        return grey[..., None].astype(np.float32)  # type: ignore[no-any-return]
    _, content = cv2.imencode(".jpg", cv2.cvtColor(source, cv2.COLOR_RGB2BGR), options)
    decoded: Any = cv2.imdecode(content, cv2.IMREAD_COLOR)
    found = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB).astype(np.float32)
    return found if x.shape[2] == 3 else np.concatenate((found, x[..., 3:]), axis=2)
