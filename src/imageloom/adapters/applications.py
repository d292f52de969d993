"""Recognises `keras.applications.*.preprocess_input`, without importing Keras.

As a hook such a function would make every worker import Keras, which takes seconds and hundreds of
megabytes, for two lines of arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from imageloom.adapters.keras import configured
from imageloom.imagenet import ImageNetScaling

__all__ = ["stand_in"]

_MODULE: Final = re.compile(r"(?:keras|tf_keras)\.(?:\w+\.)*applications\.(\w+)")
_MODES: Final[dict[str, str | None]] = {
    "convnext": None,
    "densenet": "torch",
    "efficientnet": None,
    "efficientnet_v2": None,
    "imagenet_utils": "caffe",
    "inception_resnet_v2": "tf",
    "inception_v3": "tf",
    "mobilenet": "tf",
    "mobilenet_v2": "tf",
    "mobilenet_v3": None,
    "nasnet": "tf",
    "resnet": "caffe",
    "resnet_v2": "tf",
    "vgg16": "caffe",
    "vgg19": "caffe",
    "xception": "tf",
}


def stand_in(function: Callable[..., Any]) -> ImageNetScaling | None:
    """What computes the same without Keras; None for all other functions.

    Both are tried on a small image first: a version of Keras that computes something else is believed.
    """
    if getattr(function, "__name__", "") != "preprocess_input":
        return None
    module = str(getattr(function, "__module__", ""))
    found = _MODULE.fullmatch(module)
    if found is None or found[1] not in _MODES:
        return None
    light = ImageNetScaling(
        module=module,
        mode=_MODES[found[1]],
        data_format=configured("image_data_format", "channels_last"),
        floatx=configured("floatx", "float32"),
    )
    probe = np.linspace(0, 255, 27, dtype="float32").reshape(3, 3, 3)
    try:
        same = np.array_equal(function(probe.copy()), light(probe.copy()))
    except Exception:  # whatever it is, it is not what we know
        return None
    return light if same else None
