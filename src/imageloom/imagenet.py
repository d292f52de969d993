"""The pixel scalings of `keras.applications`, for workers that are not to import Keras.

Formulas and constants: Keras, `keras/src/applications/imagenet_utils.py`, of its versions 2 and 3. The
steps are taken in Keras' order and in place, so that the bits are the same.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ImageNetScaling"]

_TORCH_MEAN: Final = (0.485, 0.456, 0.406)
_TORCH_STD: Final = (0.229, 0.224, 0.225)
_CAFFE_MEAN: Final = (103.939, 116.779, 123.68)


@dataclass(frozen=True, slots=True)
class ImageNetScaling:
    """Stands in for a `preprocess_input` of `keras.applications`, and gives the same bits.

    Attributes:
        module: where the function comes from; it is imported for what is no array.
        mode: "tf" (to -1..1), "torch" (by mean and deviation), "caffe" (BGR about the mean), or None
            for models that scale by themselves.
        data_format: Keras' setting, for calls that do not name one.
        floatx: Keras' setting, for images of whole numbers.
    """

    module: str
    mode: str | None
    data_format: str
    floatx: str

    def __call__(self, x: Any, data_format: str | None = None, mode: str | None = None) -> Any:
        """Scales an image or a batch of 0..255, in place if it is of floats."""
        if self.mode is None:
            return x
        mode, data_format = mode or self.mode, data_format or self.data_format
        known = mode in ("tf", "torch", "caffe") and data_format in ("channels_first", "channels_last")
        if not isinstance(x, np.ndarray) or not known:
            original = importlib.import_module(self.module).preprocess_input
            named = {} if mode == self.mode else {"mode": mode}
            return original(x, data_format=data_format, **named)
        if not issubclass(x.dtype.type, np.floating):
            x = x.astype(self.floatx, copy=False)
        if mode == "tf":
            x /= 127.5
            x -= 1.0
            return x
        axis = x.ndim - 3 if data_format == "channels_first" else x.ndim - 1
        if mode == "torch":
            x /= 255.0
            return _about(x, axis, _TORCH_MEAN, _TORCH_STD)
        return _about(np.flip(x, axis), axis, _CAFFE_MEAN, None)


def _about(
    x: NDArray[Any], axis: int, mean: tuple[float, ...], std: tuple[float, ...] | None
) -> NDArray[Any]:
    channels = np.moveaxis(x, axis, 0)  # a view
    for number, value in enumerate(mean):
        channels[number] -= value
        if std is not None:
            channels[number] /= std[number]
    return x
