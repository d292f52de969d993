"""Descriptions of generators and iterators, in one or a few lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from imageloom._machine import worker_count
from imageloom._options import OPTION_DEFAULTS, STEP_NAMES, Noise

__all__ = ["counted", "generator_in_words", "geometry_notes", "transforms_in_words"]

_TRANSFORMS: Final = (
    "rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range",
    "channel_shift_range", "horizontal_flip", "vertical_flip", "brightness_range", "contrast_range",
    "noise", *STEP_NAMES, "mixup", "cutmix", "fill_mode", "cval", "interpolation_order", "geometry",
    "random_transforms_enabled", "noaug_preprocessing_function", "preprocessing_function",
    "exif_orientation", "depth",
)  # fmt: skip
_FITTED: Final = ("featurewise_center", "featurewise_std_normalization", "zca_whitening")
_LONGEST_LINE: Final = 80
_LONGEST_VALUE: Final = 60
_MOST_ITEMS: Final = 6
_LARGEST_DENOMINATOR: Final = 1000


def generator_in_words(generator: Any, defaults: Mapping[str, Any] = OPTION_DEFAULTS) -> str:
    """Describes a generator by the call of its constructor, with a comment about its state.

    The call has the arguments that differ from their defaults. It is one line if it fits.
    """
    arguments = list(_arguments(generator, tuple(defaults), defaults))
    name = type(generator).__name__
    call = f"{name}({', '.join(arguments)})"
    if len(call) > _LONGEST_LINE:
        call = f"{name}(\n    " + ",\n    ".join(arguments) + ",\n)"
    return f"{call}  # {'; '.join(_consequences(generator))}"


def counted(number: int, one: str, many: str = "") -> str:
    """Returns a number with its noun, such as "2 images"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def transforms_in_words(generator: Any) -> str:
    """Returns the arguments that change how images look."""
    return ", ".join(_arguments(generator, _TRANSFORMS)) or "no random transforms"


def _keywords(values: Mapping[str, Any]) -> str:
    """Formats keyword arguments as in a call."""
    return ", ".join(f"{name}={_value(value)}" for name, value in values.items())


def geometry_notes(generator: Any) -> list[str]:
    """Explains Keras' exchanged shifts, if the generator has them and they are visible."""
    wide, high = generator.width_shift_range, generator.height_shift_range
    if generator.geometry != "keras" or _value(wide) == _value(high):
        return []
    return [
        "geometry='keras': as in Keras, width_shift_range moves images up and down, height_shift_range "
        "sideways; 'corrected' does not"
    ]


def _arguments(
    generator: Any, names: Sequence[str], defaults: Mapping[str, Any] = OPTION_DEFAULTS
) -> Iterator[str]:
    for name in names:
        default = defaults[name]
        value = getattr(generator, name, default)
        if not _equal(name, value, default):
            yield f"{name}={_value(value)}"


def _equal(name: str, value: Any, default: Any) -> bool:
    if name == "zoom_range":  # stored as two bounds
        default = (1.0, 1.0)
    try:
        if name == "zoom_range" and not isinstance(value, (int, float)):
            return bool(tuple(value) == default)
        return bool(value is default or value == default)
    except (TypeError, ValueError):  # an array, or a value that is not valid
        return False


def _value(value: Any) -> str:
    """Formats a value in Python's notation, shortened."""
    if isinstance(value, (float, Noise)):
        return _number(value) if isinstance(value, float) else _noise(value)
    if isinstance(value, partial):
        return f"partial({_value(value.func)}, ...)"
    if callable(value):
        name = getattr(value, "__qualname__", None) or f"{type(value).__qualname__}(...)"
        return str(name).rpartition("<locals>.")[2]
    if isinstance(value, (list, tuple)):
        return _sequence(value)
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _sequence(values: Sequence[Any]) -> str:
    items = [_value(item) for item in values[:_MOST_ITEMS]]
    items += ["..."] * (len(values) > _MOST_ITEMS)
    joined = ", ".join(items)
    return f"({joined})" if isinstance(values, tuple) and len(values) > 1 else f"[{joined}]"


def _number(value: float) -> str:
    """Formats 1/n as a fraction: 1/255 is easier to recognise than 0.00392156862745098."""
    if 0 < abs(value) < 1 and len(repr(value)) > 8:
        whole = round(1 / abs(value))
        if whole <= _LARGEST_DENOMINATOR and 1 / whole == abs(value):
            return f"{'-' * (value < 0)}1/{whole}"
        return f"{value:.6g}"
    return repr(value)


def _noise(noise: Noise) -> str:
    plain = Noise(noise.name)
    if noise == plain:
        return repr(noise.name)
    changed = {
        field.name: getattr(noise, field.name)
        for field in dataclasses.fields(noise)
        if field.name != "name" and getattr(noise, field.name) != getattr(plain, field.name)
    }
    return f"Noise({noise.name!r}, {_keywords(changed)})"


def _consequences(generator: Any) -> Iterator[str]:
    found = [name for name in ("mean", "std", "zca_whitening_matrix") if _there(generator, name)]
    if found:
        yield f"fitted: {', '.join(found)}"
    elif any(getattr(generator, name, False) for name in _FITTED):
        yield "not fitted yet"
    yield _workers(generator)


def _there(generator: Any, name: str) -> bool:
    return getattr(generator, name, None) is not None


def _workers(generator: Any) -> str:
    if getattr(generator, "debug", False):
        return "one thread, for debugging"
    executor = getattr(generator, "executor", "processes")
    if executor == "serial":
        return "computed when asked for"
    try:
        count = worker_count(generator.cores)
    except (AttributeError, TypeError, ValueError):  # not a valid number
        return f"workers: {executor}"
    nouns = {
        "processes": ("worker process", "worker processes"),
        "threads": ("worker thread", "worker threads"),
    }
    return counted(count, *nouns.get(executor, ("worker", "workers")))
