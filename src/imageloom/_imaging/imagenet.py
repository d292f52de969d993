"""What `preprocess_input` of Keras' applications does, in place and by whole lines.

The formulas are those of `_adapters.applications`; the results have the same bits.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.applications import FORMULAS, ImageNetScaling
from imageloom._imaging.normalise import in_lines
from imageloom._imaging.opencv import cv2

__all__ = ["can_scale", "scale_in_place"]

_CHANNELS: Final = 3


def can_scale(scaling: ImageNetScaling, x: NDArray[np.float32]) -> bool:
    """Whether `scale_in_place` can be used for an image (height, width, channels)."""
    known = scaling.mode in (None, *FORMULAS) and scaling.data_format == "channels_last"
    colours = x.ndim == _CHANNELS and x.shape[2] == _CHANNELS
    return known and colours and x.dtype == np.float32 and x.flags.c_contiguous and x.flags.writeable


def scale_in_place(scaling: ImageNetScaling, x: NDArray[np.float32]) -> None:
    """Scales an image of values of 0..255 as a function of Keras does, if `can_scale`."""
    formula = FORMULAS.get(scaling.mode or "")
    if formula is None:
        return
    if formula.reverses:
        cv2.cvtColor(x, cv2.COLOR_RGB2BGR, dst=x)
    if formula.divisor is not None:
        x /= formula.divisor
    if len(formula.mean) == 1:
        x -= formula.mean[0]
        return
    lines, means = in_lines(x, np.array([[formula.mean]], np.float32))
    lines -= means
    if formula.std is not None:
        lines, deviations = in_lines(x, np.array([[formula.std]], np.float32))
        lines /= deviations
