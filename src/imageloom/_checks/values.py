"""Checks of single arguments; the errors say what was received and what is allowed."""

from __future__ import annotations

import math
import numbers
import operator
import reprlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from imageloom._checks.suggestions import as_words, nearest_value
from imageloom._errors import ArgumentTypeError, InvalidArgumentError, MissingDependencyError
from imageloom._warnings import Code, warn_user

__all__ = [
    "as_dtype",
    "check_batch_size",
    "check_choice",
    "check_cores",
    "check_dtype",
    "check_flag",
    "check_function",
    "check_int",
    "check_number",
    "check_pair",
    "check_seed",
    "check_shard",
    "check_subset",
    "check_text",
    "check_validation_split",
    "computing_dtype",
    "in_words",
    "is_floating",
    "is_integer",
    "shift_range",
    "zoom_bounds",
]


_PLAIN_NUMBERS: Final = (float, int)
_REPR: Final = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 100


def in_words(value: Any) -> str:
    """What was received, for an error: a short `repr`, or the type and the shape of an array or table.

    Tables and large lists would fill the screen, and hide the sentence that explains the error.
    """
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"a {type(value).__name__} of shape {shape}"
    return " ".join(_REPR.repr(value).split())  # in one line


def _is_real(value: Any) -> bool:
    return type(value) in _PLAIN_NUMBERS or isinstance(value, numbers.Real)


def is_integer(value: Any) -> bool:
    """Whether a value is a whole number, and no truth value."""
    # To ask an abstract class takes ten times as long.
    return type(value) is int or (isinstance(value, numbers.Integral) and not isinstance(value, bool))


def check_choice(
    name: str,
    value: Any,
    allowed: Sequence[str],
    *,
    none: bool = False,
    also: str = "",
    called: str = "",
) -> None:
    """Raises unless `value` is one of some strings.

    Args:
        name: the argument's name, for the error.
        value: what was received.
        allowed: the strings.
        none: whether None is allowed, too.
        also: what else is allowed and was replaced before, in words for the error.
        called: what Keras calls the argument in its error, if not by its name.
    """
    if (isinstance(value, str) and value in allowed) or (none and value is None):
        return
    words = as_words([*map(repr, allowed), *(["None"] if none else []), *filter(None, [also])], "or")
    meant = nearest_value(value, allowed) if isinstance(value, str) else None
    question = "" if meant is None else f" Did you mean {meant!r}?"
    if meant is None and none and isinstance(value, str) and value.lower() in ("none", "null", ""):
        question = " Did you mean None, without quotes?"
    raise InvalidArgumentError(
        f"Invalid {called or name}: `{name}` must be {words}; received {in_words(value)}.{question}"
    )


def check_flag(name: str, value: Any) -> None:
    """Raises unless `value` is a truth value, None, which is False in Keras, or a number.

    A number other than 0 and 1 is a warning: Keras takes it for True, but its user had something else
    in mind, such as a probability.
    """
    if value is None or isinstance(value, (bool, np.bool_)):
        return
    if not _is_real(value):
        raise ArgumentTypeError(f"`{name}` must be True or False; received {in_words(value)}.")
    if value not in (0, 1):
        warn_user(
            f"`{name}` is either True or False, and {value!r} counts as True, as in Keras.",
            code=Code.NUMBER_FOR_SWITCH,
        )


def check_text(name: str, value: Any) -> None:
    """Raises unless `value` is a string or None."""
    if value is not None and not isinstance(value, str):
        raise ArgumentTypeError(f"`{name}` must be a string; received {in_words(value)}.")


def check_function(name: str, value: Any) -> None:
    """Raises unless `value` can be called or is None."""
    if value is not None and not callable(value):
        raise ArgumentTypeError(f"`{name}` must be callable or None; received {in_words(value)}.")


def check_seed(seed: Any) -> int | None:
    """Returns a seed as a plain int, or None; raises unless 0 <= seed < 2**32."""
    if seed is None:
        return None
    if not is_integer(seed):
        raise ArgumentTypeError(f"`seed` must be an integer or None; received {in_words(seed)}.")
    if not 0 <= seed < 2**32:
        raise InvalidArgumentError(f"`seed` must be in 0..2**32 - 1; received {seed!r}.")
    return int(seed)


def check_shard(shard: Any) -> tuple[int, int]:
    """Returns the index and the count of a shard; raises unless 0 <= index < count."""
    if (
        not isinstance(shard, (tuple, list))
        or len(shard) != 2
        or not all(is_integer(number) for number in shard)
    ):
        raise ArgumentTypeError(
            '`shard` must be (index, count) with two integers, or "auto", or None; received '
            f"{in_words(shard)}."
        )
    index, count = (int(number) for number in shard)
    if not 0 <= index < count:
        raise InvalidArgumentError(
            f"`shard` must be (index, count) with 0 <= index < count; received {shard!r}."
        )
    return index, count


def check_subset(subset: object) -> None:
    """Raises unless `subset` is "training", "validation" or None."""
    check_choice("subset", subset, ("training", "validation"), none=True, called="subset name")


def check_number(name: str, value: Any, also: str = "") -> None:
    """Raises unless `value` is a finite real number. True is none: it would be a range of 1.

    Args:
        name: the argument's name, for the error.
        value: what was received.
        also: what else is allowed, in words for the error.
    """
    if not _is_real(value) or value is True:
        raise ArgumentTypeError(f"`{name}` must be a number{also}; received {in_words(value)}.")
    if not math.isfinite(value):
        raise InvalidArgumentError(f"`{name}` must be finite; received {value!r}.")


def check_int(
    name: str,
    value: Any,
    low: int,
    high: int | None = None,
    also: str | None = None,
    *,
    other: int | None = None,
) -> None:
    """Raises unless `value` is an integer in a range.

    Args:
        name: the argument's name, for the error.
        value: what was received.
        low: the lowest allowed value.
        high: the highest allowed value; None for no bound.
        also: what else is allowed, in words for the error.
        other: a number outside the range that is allowed as well.
    """
    allowed = f"an integer >= {low}" if high is None else f"an integer in {low}..{high}"
    if also:
        allowed += f", {also}"
    if not is_integer(value):
        raise ArgumentTypeError(f"`{name}` must be {allowed}; received {in_words(value)}.")
    if value == other:
        return
    if value < low or (high is not None and value > high):
        raise InvalidArgumentError(f"`{name}` must be {allowed}; received {value!r}.")


def check_cores(cores: Any) -> None:
    """Raises unless `cores` is a number of workers, a share of the cores, or None."""
    if cores is None:
        return
    if isinstance(cores, bool) or not _is_real(cores):
        raise ArgumentTypeError(
            "`cores` must be a number of workers (int, -1 for all cores) or a share of the cores "
            f"(float in 0..1), or None; received {in_words(cores)}."
        )
    if not is_integer(cores) and not 0 <= cores <= 1:
        raise InvalidArgumentError(
            f"`cores` must be in 0..1 if it is a float, a share of the cores; received {cores!r}. "
            "Pass an int for a number of workers."
        )


def check_validation_split(split: Any) -> None:
    """Raises unless `validation_split` is off (0 or None), or strictly between 0 and 1."""
    if split is None:
        return
    if not _is_real(split):
        raise ArgumentTypeError(
            f"`validation_split` must be a number or None; received {in_words(split)}."
        )
    if split and not 0 < split < 1:
        raise InvalidArgumentError(
            f"`validation_split` must be strictly between 0 and 1, or 0 or None for no subsets; "
            f"received {split!r}."
        )


def zoom_bounds(zoom: Any) -> list[float]:
    """Returns the lower and upper bound that a `zoom_range` of Keras stands for."""
    message = (
        "`zoom_range` should be a float or a tuple or list of two floats, for example 0.2 or "
        f"(0.8, 1.2); received {in_words(zoom)}."
    )
    if _is_real(zoom):
        bounds = [1 - zoom, 1 + zoom]
    elif isinstance(zoom, (Sequence, np.ndarray)):
        bounds = list(zoom)
    else:
        raise ArgumentTypeError(message)
    if len(bounds) != 2 or not all(_is_real(b) for b in bounds):
        raise InvalidArgumentError(message)
    if not all(math.isfinite(b) for b in bounds):
        raise InvalidArgumentError(message)
    return bounds


def check_pair(name: str, pair: Any) -> None:
    """Raises unless `pair` is None, or a tuple or list of two finite numbers."""
    if pair is None:
        return
    if (
        not isinstance(pair, (tuple, list))
        or len(pair) != 2
        or not all(_is_real(p) and math.isfinite(p) for p in pair)
    ):
        raise InvalidArgumentError(
            f"`{name}` should be tuple or list of two floats, for example (0.8, 1.2), or None. "
            f"Received: {in_words(pair)}."
        )


def shift_range(name: str, shift: Any) -> Any:
    """Returns a shift range as a number or a list of numbers.

    Arrays become lists, because an array has no truth value.
    """
    if isinstance(shift, np.ndarray):
        shift = shift.tolist()
    if shift is None or shift is True:  # True is 1, as in Keras
        return shift
    if _is_real(shift):
        check_number(name, shift)
        return shift
    if not isinstance(shift, (list, tuple)):
        raise ArgumentTypeError(
            f"`{name}` must be a number or a one-dimensional list of numbers; received "
            f"{in_words(shift)}."
        )
    for item in shift:
        if item is not True:
            check_number(f"{name} item", item)
    return shift


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """The dtype that a name stands for, `"bfloat16"` included.

    NumPy knows that name once the package ml_dtypes is imported, which frameworks bring along.

    Raises:
        MissingDependencyError: The dtype is bfloat16, and ml_dtypes is not installed.
    """
    if isinstance(dtype, str) and dtype == "bfloat16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise MissingDependencyError(
                "The dtype bfloat16 needs the package ml_dtypes, which JAX and TensorFlow bring along "
                "and which is not installed. Install it with pip install ml_dtypes, or use another "
                "dtype."
            ) from error
        dtype = ml_dtypes.bfloat16
    found: np.dtype[Any] = np.dtype(dtype)
    return found


def computing_dtype(dtype: Any) -> str:
    """The dtype to compute in for results of a dtype: float32 for bfloat16, else the same.

    Sums in bfloat16 are far off (Keras' `fit` finds a mean of 54 for images with the mean 125), and
    OpenCV and SciPy do not know it.
    """
    return "float32" if _is_bfloat16(as_dtype(dtype)) else dtype


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether values of a dtype have fractions. bfloat16 has, although NumPy calls its kind V."""
    return dtype.kind == "f" or _is_bfloat16(dtype)


def _is_bfloat16(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "V" and dtype.name == "bfloat16"  # NumPy makes a name anew each time


def check_dtype(dtype: Any) -> None:
    """Raises unless `dtype` is a floating or integer type of NumPy, or bfloat16."""
    try:
        if dtype is None or isinstance(dtype, bytes):  # which NumPy takes for float64, and for text
            raise TypeError(dtype)
        found = as_dtype(dtype)
    except (TypeError, ValueError, SyntaxError) as error:  # for texts such as "f,,"
        raise ArgumentTypeError(
            f"`dtype` must be a NumPy dtype, or None for Keras' `floatx`; received {in_words(dtype)}."
        ) from error
    if found.kind not in "iu" and not is_floating(found):
        raise InvalidArgumentError(
            f"`dtype` must be a floating or integer type; received {in_words(dtype)}."
        )


def check_batch_size(batch_size: Any, samples: int) -> int:
    """Returns the number of samples in a batch.

    Args:
        batch_size: what was received; -1 stands for all samples.
        samples: how many samples there are; without any, the size of a batch is 1.
    """
    allowed = "`batch_size` must be an integer >= 1, or -1 for all samples"
    try:
        size = None if isinstance(batch_size, bool) else operator.index(batch_size)
    except TypeError:
        size = None
    if size is None:
        raise ArgumentTypeError(f"{allowed}; received {in_words(batch_size)}.")
    if size == -1:
        return max(1, samples)
    if size < 1:
        raise InvalidArgumentError(f"{allowed}; received {batch_size!r}.")
    return size
