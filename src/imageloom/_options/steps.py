"""The options of further random steps, which have the names and the meaning of Keras' layers.

Such an option is True for the defaults of the layer, a number or two numbers for the layer's first
argument, or a dictionary of the layer's arguments. What a user has passed stays in the generator; the
pipeline sees the frozen records of this module.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import numpy as np

from imageloom._checks.suggestions import as_words, nearest_value
from imageloom._checks.values import check_choice, check_number, in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError

__all__ = [
    "STEP_NAMES",
    "Blur",
    "Bounds",
    "Crop",
    "Elastic",
    "Erasing",
    "Perspective",
    "RandAugment",
    "StepOption",
    "checked_steps",
    "step_records",
]

StepOption = bool | float | Sequence[Any] | Mapping[str, Any] | None
Bounds = tuple[float, float]

_FILL_MODES: Final = ("constant", "nearest", "wrap", "mirror", "reflect")
_CROP: Final = "True, or a dictionary with `scale` and `ratio`, two numbers each"
_RATIO: Final = (3 / 4, 4 / 3)
_MOST_QUALITY: Final = 100
_LARGEST_KERNEL: Final = 255


@dataclass(frozen=True, slots=True)
class Crop:
    """A window of the image, as Keras' `RandomCrop` or torchvision's `RandomResizedCrop` cuts it.

    Attributes:
        scale: the bounds of the window's share of the area; None for a window of the target's size.
        ratio: the bounds of its width by its height.
    """

    scale: Bounds | None = None
    ratio: Bounds = _RATIO


@dataclass(frozen=True, slots=True)
class Perspective:
    """Corners that move, as in Keras' `RandomPerspective`.

    Attributes:
        factor: the bounds of the probability.
        scale: how far the corners move, as a share of their coordinates.
        fill_value: the value beyond the border.
    """

    factor: Bounds = (0.0, 1.0)
    scale: float = 1.0
    fill_value: float = 0.0


@dataclass(frozen=True, slots=True)
class Elastic:
    """Pixels that move as in rubber, as in Keras' `RandomElasticTransform`.

    Attributes:
        factor: the bounds of the probability.
        scale: the bounds of the strength.
        fill_mode: what is beyond the border.
        fill_value: the value there with the fill mode `"constant"`.
    """

    factor: Bounds = (0.0, 1.0)
    scale: Bounds = (0.0, 1.0)
    fill_mode: str = "reflect"
    fill_value: float = 0.0


@dataclass(frozen=True, slots=True)
class RandAugment:
    """Some operations of a list, as in Keras' `RandAugment`.

    Attributes:
        num_ops: the number of operations.
        factor: the bounds of their strength.
    """

    num_ops: int = 2
    factor: Bounds = (0.0, 0.5)


@dataclass(frozen=True, slots=True)
class Blur:
    """A Gaussian blur, as in Keras' `RandomGaussianBlur`.

    Attributes:
        factor: the bounds of the probability.
        kernel_size: the width and height of the kernel, in pixels.
        sigma: the bounds of the standard deviation, in pixels.
    """

    factor: Bounds = (0.0, 1.0)
    kernel_size: tuple[int, int] = (3, 3)
    sigma: Bounds = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Erasing:
    """A rectangle that is erased, as in Keras' `RandomErasing`.

    Attributes:
        factor: the bounds of the probability.
        scale: the bounds of the squares of its sides, as shares of the image's.
        fill_value: what the rectangle is filled with, one value or one for each channel; None for
            noise.
    """

    factor: Bounds = (0.0, 1.0)
    scale: Bounds = (0.02, 0.33)
    fill_value: float | tuple[float, ...] | None = None


def checked_steps(options: Any) -> dict[str, Any]:
    """The values of all step options, as plain Python objects that nobody else changes.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value is not allowed.
    """
    found = {name: _plain(getattr(options, name)) for name in _RECORDS}
    for name, value in found.items():
        _record(name, value)
    return found


def step_records(options: Any) -> dict[str, Any]:
    """The records of the step options that are used, by name; the values have been checked."""
    values = _values(options)
    if values == _UNUSED:  # as in most programs, which ask for each small flow
        return {}
    records = {name: _record(name, value) for name, value in zip(_RECORDS, values, strict=True)}
    return {name: record for name, record in records.items() if record is not None}


def _record(name: str, value: Any) -> Any:
    return None if value is None or value is False else _RECORDS[name](name, value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    return value


def _is_number(value: Any) -> bool:
    if value is True or value is False or not isinstance(value, numbers.Real):
        return False
    return math.isfinite(value)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))


def _bounds(name: str, value: Any, low: float = 0.0, high: float = 1.0) -> Bounds:
    """The bounds that a factor of Keras stands for: a number is the upper one, from `low` on."""
    pair = (low, value) if _is_number(value) else value
    if not _is_pair(pair):
        raise ArgumentTypeError(
            f"`{name}` must be a number in {low:g}..{high:g}, or two of them as bounds; received "
            f"{in_words(value)}."
        )
    if not low <= min(pair) <= max(pair) <= high:
        raise InvalidArgumentError(
            f"`{name}` must be in {low:g}..{high:g}; received {in_words(value)}."
        )
    return float(min(pair)), float(max(pair))


def _arguments(name: str, value: Any, allowed: Sequence[str]) -> dict[str, Any]:
    """The arguments of a layer that the value of an option stands for."""
    if value is True:
        return {}
    if _is_number(value) or _is_pair(value):
        return {allowed[0]: value}
    if not isinstance(value, dict):
        raise ArgumentTypeError(
            f"`{name}` must be True, `{allowed[0]}` as a number or two bounds, or a dictionary with "
            f"{as_words([repr(key) for key in allowed], 'or')}, or None; received {in_words(value)}."
        )
    for key in value:
        _check_key(name, key, allowed)
    return value


def _check_key(name: str, key: Any, allowed: Sequence[str]) -> None:
    if key in allowed:
        return
    meant = nearest_value(key, allowed) if isinstance(key, str) else None
    question = "" if meant is None else f" Did you mean {meant!r}?"
    raise InvalidArgumentError(
        f"`{name}` knows {as_words([repr(each) for each in allowed], 'and')}; received "
        f"{in_words(key)}.{question}"
    )


def _crop(name: str, value: Any) -> Crop | None:
    if value is True:
        return Crop()
    if _is_pair(value):
        value = {"scale": value}
    elif isinstance(value, tuple) and len(value) == 2 and all(map(_is_pair, value)):
        value = {"scale": value[0], "ratio": value[1]}
    if not isinstance(value, dict):
        raise ArgumentTypeError(f"`{name}` must be {_CROP}, or None; received {in_words(value)}.")
    for key in value:
        _check_key(name, key, ("scale", "ratio"))
    # torchvision's defaults, as soon as one of its arguments is there.
    scale = _positive(f"scale of {name}", value.get("scale", (0.08, 1.0)))
    if scale[1] > 1:
        raise InvalidArgumentError(
            f"`scale` of `{name}` is the window's share of the image, in 0..1; received "
            f"{in_words(value['scale'])}."
        )
    return Crop(scale, _positive(f"ratio of {name}", value.get("ratio", _RATIO)))


def _positive(name: str, pair: Any) -> Bounds:
    if not _is_pair(pair) or min(pair) <= 0 or pair[0] > pair[1]:
        raise InvalidArgumentError(
            f"`{name}` must be two numbers > 0, the lower one first; received {in_words(pair)}."
        )
    return float(pair[0]), float(pair[1])


def _perspective(name: str, value: Any) -> Perspective | None:
    given = _arguments(name, value, ("factor", "scale", "fill_value"))
    factor = _bounds(f"factor of {name}", given.get("factor", 1.0))
    scale, fill = given.get("scale", 1.0), given.get("fill_value", 0.0)
    if not _is_number(scale) or not 0 <= scale <= 1:
        raise InvalidArgumentError(
            f"`scale` of `{name}` must be a number in 0..1; received {in_words(scale)}."
        )
    check_number(f"fill_value of {name}", fill)
    return Perspective(factor, float(scale), float(fill)) if factor[1] and scale else None


def _elastic(name: str, value: Any) -> Elastic | None:
    given = _arguments(name, value, ("factor", "scale", "fill_mode", "fill_value"))
    factor = _bounds(f"factor of {name}", given.get("factor", 1.0))
    scale = _bounds(f"scale of {name}", given.get("scale", 1.0))
    mode, fill = given.get("fill_mode", "reflect"), given.get("fill_value", 0.0)
    check_choice(f"fill_mode of {name}", mode, _FILL_MODES)
    check_number(f"fill_value of {name}", fill)
    return Elastic(factor, scale, mode, float(fill)) if factor[1] and scale[1] else None


def _rand_augment(name: str, value: Any) -> RandAugment | None:
    if _is_pair(value) or (isinstance(value, tuple) and len(value) == 2 and _is_pair(value[1])):
        value = {"num_ops": value[0], "factor": value[1]}
    elif _is_number(value) or isinstance(value, tuple):
        raise ArgumentTypeError(
            f"`{name}` must be (n, magnitude): the number of operations, and their strength in 0..1; "
            f"received {in_words(value)}."
        )
    given = _arguments(name, value, ("num_ops", "factor"))
    count, factor = given.get("num_ops", 2), given.get("factor", 0.5)
    if not _is_number(count) or count < 0 or count != int(count):
        raise InvalidArgumentError(
            f"The number of operations of `{name}` must be an integer >= 0; received {in_words(count)}."
        )
    if _is_number(factor) and factor > 1:
        raise InvalidArgumentError(
            f"The magnitude of `{name}` is a factor in 0..1, as in Keras' RandAugment; received "
            f"{factor!r}. Divide a level by the number of levels: torchvision's 9 of 30 is 0.3."
        )
    bounds = _bounds(f"magnitude of {name}", factor)
    return RandAugment(int(count), bounds) if count else None


def _factor(name: str, value: Any) -> Bounds | None:
    if isinstance(value, bool):
        raise ArgumentTypeError(
            f"`{name}` must be a number in 0..1, or two of them as bounds; received {value!r}."
        )
    return _bounds(name, value)


def _grayscale(name: str, value: Any) -> float | None:
    if value is True:
        return 0.5  # Keras' default
    if not _is_number(value):
        raise ArgumentTypeError(
            f"`{name}` must be a probability in 0..1, or True for 0.5; received {in_words(value)}."
        )
    if not 0 <= value <= 1:
        raise InvalidArgumentError(f"`{name}` must be a probability in 0..1; received {value!r}.")
    return float(value) or None


def _blur(name: str, value: Any) -> Blur | None:
    given = _arguments(name, value, ("factor", "kernel_size", "sigma"))
    factor = _bounds(f"factor of {name}", given.get("factor", 1.0))
    size = given.get("kernel_size", 3)
    sides = size if isinstance(size, tuple) else (size, size)
    odd = len(sides) == 2 and all(_is_number(s) and s % 2 == 1 for s in sides)
    if not odd or not all(0 < side <= _LARGEST_KERNEL for side in sides):
        raise InvalidArgumentError(
            f"`kernel_size` of `{name}` must be an odd number of pixels in 1..{_LARGEST_KERNEL}, or "
            f"two of them; received {in_words(size)}."
        )
    sigma = _bounds(f"sigma of {name}", given.get("sigma", 1.0), high=math.inf)
    return Blur(factor, (int(sides[0]), int(sides[1])), sigma) if factor[1] else None


def _jpeg_quality(name: str, value: Any) -> tuple[int, int]:
    pair = (value, value) if _is_number(value) else value
    whole = _is_pair(pair) and all(float(side).is_integer() for side in pair)
    if not whole:
        raise ArgumentTypeError(
            f"`{name}` must be two whole numbers in 1..{_MOST_QUALITY}, for example (30, 95), or one; "
            f"received {in_words(value)}."
        )
    if not 1 <= pair[0] <= pair[1] <= _MOST_QUALITY:
        raise InvalidArgumentError(
            f"`{name}` must be two numbers in 1..{_MOST_QUALITY}, the lower one first; received "
            f"{in_words(value)}."
        )
    return int(pair[0]), int(pair[1])


def _erasing(name: str, value: Any) -> Erasing | None:
    given = _arguments(name, value, ("factor", "scale", "fill_value"))
    factor = _bounds(f"factor of {name}", given.get("factor", 1.0))
    scale = _bounds(f"scale of {name}", given.get("scale", (0.02, 0.33)))
    fill = given.get("fill_value")
    values = fill if isinstance(fill, tuple) else (fill,)
    if fill is not None and not (values and all(map(_is_number, values))):
        raise ArgumentTypeError(
            f"`fill_value` of `{name}` must be a number, one for each channel, or None for noise; "
            f"received {in_words(fill)}."
        )
    return Erasing(factor, scale, fill) if factor[1] else None


_RECORDS: Final[dict[str, Callable[[str, Any], Any]]] = {
    "random_crop": _crop,
    "perspective": _perspective,
    "elastic": _elastic,
    "rand_augment": _rand_augment,
    "hue_range": _factor,
    "saturation_range": _factor,
    "grayscale": _grayscale,
    "blur": _blur,
    "jpeg_quality_range": _jpeg_quality,
    "random_erasing": _erasing,
}
STEP_NAMES: Final = tuple(_RECORDS)
_values: Final = attrgetter(*_RECORDS)
_UNUSED: Final = (None,) * len(_RECORDS)
