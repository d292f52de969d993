"""Replacements for `keras.applications.*.preprocess_input` that do not import Keras.

With such a function as a hook, every worker would import Keras, which takes seconds and hundreds of
megabytes. The function itself is two lines of arithmetic.

Formulas and constants: Keras, `keras/src/applications/imagenet_utils.py`, versions 2 and 3. The
steps run in the same sequence as in Keras and in place, so that the results have the same bits.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.keras import configured
from imageloom._checks.asking import is_a

__all__ = [
    "FORMULAS",
    "ImageNetFormula",
    "ImageNetScaling",
    "known_scaling",
    "scaling_of_model",
    "stand_in",
]

_MODULE: Final = re.compile(r"(?:keras|tf_keras)\.(?:\w+\.)*applications\.(\w+)")
_NAME: Final = "preprocess_input"
_FRAMEWORK: Final = re.compile(r"(?:keras|tf_keras|tensorflow)\b")
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
_DATA_FORMATS: Final = ("channels_first", "channels_last")
_FLOATS: Final = ("float16", "float32", "float64")


@dataclass(frozen=True, slots=True)
class ImageNetFormula:
    """What a mode does with values of 0..255, in the order of these attributes.

    Attributes:
        reverses: whether the order of the channels is reversed.
        divisor: what all values are divided by; None for nothing.
        mean: what is subtracted from each channel, or one number for all of any number.
        std: what each channel is divided by; None for nothing.
    """

    reverses: bool
    divisor: float | None
    mean: tuple[float, ...]
    std: tuple[float, ...] | None = None


FORMULAS: Final[dict[str, ImageNetFormula]] = {
    "tf": ImageNetFormula(False, 127.5, (1.0,)),
    "torch": ImageNetFormula(False, 255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "caffe": ImageNetFormula(True, None, (103.939, 116.779, 123.68)),
}


def stand_in(function: Callable[..., Any]) -> ImageNetScaling | None:
    """Returns a replacement that does not need Keras; None if there is none for this function.

    Both are compared on a small image. If this version of Keras computes something else, its own
    function is kept.
    """
    if not is_a(function, FunctionType) or function.__name__ != _NAME:
        return None
    module = str(function.__module__)
    found = _MODULE.fullmatch(module)
    if found is None or found[1] not in _MODES:
        return None
    replacement = ImageNetScaling(
        module=module,
        mode=_MODES[found[1]],
        data_format=configured("image_data_format", "channels_last"),
        floatx=configured("floatx", "float32"),
    )
    image = np.linspace(0, 255, 27, dtype="float32").reshape(3, 3, 3)
    try:
        same = np.array_equal(function(image.copy()), replacement(image.copy()))
    except Exception:  # then it is not the known function
        return None
    return replacement if same else None


def scaling_of_model(model: str, data_format: str, floatx: str) -> ImageNetScaling | None:
    """The replacement of a model's `preprocess_input`, for arrays; None if there is none.

    Args:
        model: the name of its module in `keras.applications`, such as "resnet".
        data_format: what is configured in Keras.
        floatx: likewise.
    """
    if model not in _MODES or data_format not in _DATA_FORMATS or floatx not in _FLOATS:
        return None
    return ImageNetScaling(f"keras.applications.{model}", _MODES[model], data_format, floatx)


def known_scaling(function: object) -> str | None:
    """The name of the `preprocess_input` that a function is or calls; None if it calls none.

    A function calls one if its code names one: `lambda x: preprocess_input(x)`, or a function of the
    user's that calls `resnet50.preprocess_input`.
    """
    # Objects of the user may do anything when they are asked for an attribute.
    while not is_a(function, (ImageNetScaling, FunctionType)):
        if is_a(function, functools.partial):
            function = function.func
        elif is_a(function, MethodType):
            function = function.__func__
        else:
            return None
    found: Any = function
    if is_a(found, ImageNetScaling):
        return _described(found.module)
    if "__wrapped__" in vars(found):
        return known_scaling(vars(found)["__wrapped__"])
    if found.__name__ == _NAME:
        name = _MODULE.fullmatch(str(found.__module__))
        return None if name is None else _described(name[0])
    return _named_in(found)


def _named_in(function: FunctionType) -> str | None:
    """The `preprocess_input` that the code of a function names."""
    names = _names(function.__code__)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    values = {**function.__globals__, **{name: _content(cell) for name, cell in cells}}
    for name in names:
        value = values.get(name)
        is_function = is_a(value, FunctionType) and value.__name__ == _NAME
        if is_function or is_a(value, ImageNetScaling):
            known = known_scaling(value)
            if known is not None:
                return known
        elif _NAME in names and is_a(value, ModuleType) and _FRAMEWORK.match(value.__name__):
            return f"{_NAME} of {value.__name__}"
    return None


def _names(code: CodeType) -> list[str]:
    """The names that a function's code and the functions in it refer to."""
    inner = [_names(part) for part in code.co_consts if isinstance(part, CodeType)]
    return [*code.co_names, *code.co_freevars, *itertools.chain.from_iterable(inner)]


def _described(module: str) -> str:
    return f"{_NAME} of {module.replace('keras.src.', 'keras.')}"


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # the variable has no value yet
        return None


@dataclass(frozen=True, slots=True)
class ImageNetScaling:
    """Replaces a `preprocess_input` of `keras.applications`, and gives the same bits.

    Attributes:
        module: the module of the function, which is imported if the argument is not an array.
        mode: "tf" (to -1..1), "torch" (by mean and standard deviation), "caffe" (BGR minus the
            mean), or None for models that scale their input themselves.
        data_format: the value that is configured in Keras, for calls without this argument.
        floatx: the value that is configured in Keras, for images of whole numbers.
    """

    module: str
    mode: str | None
    data_format: str
    floatx: str

    @property
    def model(self) -> str:
        """The name of the module in `keras.applications`, such as "resnet"."""
        return self.module.rpartition(".")[2]

    def __call__(self, x: Any, data_format: str | None = None, mode: str | None = None) -> Any:
        """Scales an image or a batch with values of 0..255, in place if the dtype is floating."""
        if self.mode is None:
            return x
        mode, data_format = mode or self.mode, data_format or self.data_format
        formula = FORMULAS.get(mode) if data_format in _DATA_FORMATS else None
        if not isinstance(x, np.ndarray) or formula is None:
            original = importlib.import_module(self.module).preprocess_input
            named = {} if mode == self.mode else {"mode": mode}
            return original(x, data_format=data_format, **named)
        if not issubclass(x.dtype.type, np.floating):
            x = x.astype(self.floatx, copy=False)
        axis = x.ndim - 3 if data_format == "channels_first" else x.ndim - 1
        if formula.reverses:
            x = np.flip(x, axis)
        if formula.divisor is not None:
            x /= formula.divisor
        if len(formula.mean) == 1:
            x -= formula.mean[0]
            return x
        return _normalised(x, axis, formula.mean, formula.std)


def _normalised(
    x: NDArray[Any], axis: int, mean: tuple[float, ...], std: tuple[float, ...] | None
) -> NDArray[Any]:
    channels = np.moveaxis(x, axis, 0)  # a view
    for number, value in enumerate(mean):
        channels[number] -= value
        if std is not None:
            channels[number] /= std[number]
    return x
