"""What `preprocess_input` of Keras' applications does, in place and by whole lines.

Formulas and constants as in `_adapters.applications`; the results have the same bits.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.applications import CAFFE_MEAN, TORCH_MEAN, TORCH_STD, ImageNetScaling
from imageloom._imaging.normalise import in_lines
from imageloom._imaging.opencv import cv2

__all__ = ["can_scale", "scale_in_place"]

_CHANNELS: Final = 3
_MODES: Final = (None, "tf", "torch", "caffe")


def can_scale(scaling: ImageNetScaling, x: NDArray[np.float32]) -> bool:
    """Whether `scale_in_place` can be used for an image (height, width, channels)."""
    known = scaling.mode in _MODES and scaling.data_format == "channels_last"
    colours = x.ndim == _CHANNELS and x.shape[2] == _CHANNELS
    return known and colours and x.dtype == np.float32 and x.flags.c_contiguous and x.flags.writeable


def scale_in_place(scaling: ImageNetScaling, x: NDArray[np.float32]) -> None:
    """Scales an image of values of 0..255 as a function of Keras does, if `can_scale`."""
    if scaling.mode == "tf":
        x /= 127.5
        x -= 1.0
    elif scaling.mode == "torch":
        x /= 255.0
        _subtract(x, TORCH_MEAN)
        lines, deviations = in_lines(x, np.array([[TORCH_STD]], np.float32))
        lines /= deviations
    elif scaling.mode == "caffe":
        cv2.cvtColor(x, cv2.COLOR_RGB2BGR, dst=x)
        _subtract(x, CAFFE_MEAN)


def _subtract(x: NDArray[np.float32], means: tuple[float, ...]) -> None:
    lines, of_each = in_lines(x, np.array([[means]], np.float32))
    lines -= of_each
