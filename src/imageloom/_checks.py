"""Checks of single arguments; the errors say what was received and what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from imageloom._errors import ArgumentTypeError, InvalidArgumentError, MissingDependencyError

__all__ = [
    "as_dtype",
    "check_batch_size",
    "check_choice",
    "check_cores",
    "check_dtype",
    "check_int",
    "check_number",
    "check_pair",
    "check_seed",
    "check_shard",
    "check_subset",
    "check_validation_split",
    "computing_dtype",
    "is_floating",
    "shift_range",
    "zoom_bounds",
]


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real)


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Raises unless `value` is one of the allowed strings."""
    if not isinstance(value, str) or value not in allowed:
        raise InvalidArgumentError(
            f"Invalid {name}: `{name}` must be one of {', '.join(map(repr, allowed))}; "
            f"received {value!r}."
        )


def check_seed(seed: Any) -> int | None:
    """Returns a seed as a plain int, or None; raises unless 0 <= seed < 2**32."""
    if seed is None:
        return None
    if not _is_integer(seed):
        raise ArgumentTypeError(f"`seed` must be an integer or None; received {seed!r}.")
    if not 0 <= seed < 2**32:
        raise InvalidArgumentError(f"`seed` must be in 0..2**32 - 1; received {seed!r}.")
    return int(seed)


def check_shard(shard: Any) -> tuple[int, int]:
    """Returns the index and the count of a shard; raises unless 0 <= index < count."""
    if (
        not isinstance(shard, (tuple, list))
        or len(shard) != 2
        or not all(_is_integer(number) for number in shard)
    ):
        raise ArgumentTypeError(
            f'`shard` must be (index, count) with two integers, or "auto", or None; received {shard!r}.'
        )
    index, count = (int(number) for number in shard)
    if not 0 <= index < count:
        raise InvalidArgumentError(
            f"`shard` must be (index, count) with 0 <= index < count; received {shard!r}."
        )
    return index, count


def check_subset(subset: object) -> None:
    """Raises unless `subset` is "training", "validation" or None."""
    if subset not in (None, "training", "validation"):
        raise InvalidArgumentError(
            f"Invalid subset name: {subset!r}; expected 'training', 'validation' or None."
        )


def check_number(name: str, value: Any) -> None:
    """Raises unless `value` is a finite real number."""
    if not _is_real(value):
        raise ArgumentTypeError(f"`{name}` must be a number; received {value!r}.")
    if not math.isfinite(value):
        raise InvalidArgumentError(f"`{name}` must be finite; received {value!r}.")


def check_int(
    name: str, value: Any, low: int, high: int | None = None, also: str | None = None
) -> None:
    """Raises unless `value` is an integer in a range.

    Args:
        name: the argument's name, for the error.
        value: what was received.
        low: the lowest allowed value.
        high: the highest allowed value; None for no bound.
        also: what else is allowed, in words for the error.
    """
    allowed = f"an integer >= {low}" if high is None else f"an integer in {low}..{high}"
    if also:
        allowed += f", {also}"
    if not _is_integer(value):
        raise ArgumentTypeError(f"`{name}` must be {allowed}; received {value!r}.")
    if value < low or (high is not None and value > high):
        raise InvalidArgumentError(f"`{name}` must be {allowed}; received {value!r}.")


def check_cores(cores: Any) -> None:
    """Raises unless `cores` is a number of workers, a share of the cores, or None."""
    if cores is None:
        return
    if isinstance(cores, bool) or not _is_real(cores):
        raise ArgumentTypeError(
            "`cores` must be a number of workers (int, -1 for all cores) or a share of the cores "
            f"(float in 0..1), or None; received {cores!r}."
        )
    if not _is_integer(cores) and not 0 <= cores <= 1:
        raise InvalidArgumentError(
            f"`cores` must be in 0..1 if it is a float, a share of the cores; received {cores!r}. "
            "Pass an int for a number of workers."
        )


def check_validation_split(split: Any) -> None:
    """Raises unless `validation_split` is off (0 or None), or strictly between 0 and 1."""
    if not split:
        return
    if not _is_real(split):
        raise ArgumentTypeError(f"`validation_split` must be a number; received {split!r}.")
    if not 0 < split < 1:
        raise InvalidArgumentError(
            f"`validation_split` must be strictly between 0 and 1; received {split!r}."
        )


def zoom_bounds(zoom: Any) -> list[float]:
    """Returns the lower and upper bound that a `zoom_range` of Keras stands for."""
    message = f"`zoom_range` should be a float or a tuple or list of two floats; received {zoom!r}."
    if _is_real(zoom):
        bounds = [1 - zoom, 1 + zoom]
    elif zoom is None:
        raise ArgumentTypeError(message)
    else:
        try:
            bounds = list(zoom)
        except TypeError:
            raise ArgumentTypeError(message) from None
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
            f"`{name}` should be tuple or list of two floats. Received: {pair!r}."
        )


def shift_range(name: str, shift: Any) -> Any:
    """Returns a shift range as a number or a list of numbers.

    Arrays become lists, because an array has no truth value.
    """
    if isinstance(shift, np.ndarray):
        shift = shift.tolist()
    if shift is None or _is_real(shift):
        if shift is not None:
            check_number(name, shift)
        return shift
    if not isinstance(shift, (list, tuple)):
        raise ArgumentTypeError(
            f"`{name}` must be a number or a one-dimensional list of numbers; received {shift!r}."
        )
    for item in shift:
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
    return "float32" if as_dtype(dtype).name == "bfloat16" else dtype


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether values of a dtype have fractions. bfloat16 has, although NumPy calls its kind V."""
    return dtype.kind == "f" or dtype.name == "bfloat16"


def check_dtype(dtype: Any) -> None:
    """Raises unless `dtype` is a floating or integer type of NumPy, or bfloat16."""
    try:
        found = as_dtype(dtype)
    except TypeError as error:
        raise ArgumentTypeError(f"`dtype` must be a NumPy dtype; received {dtype!r}.") from error
    if found.kind not in "iu" and not is_floating(found):
        raise InvalidArgumentError(f"`dtype` must be a floating or integer type; received {dtype!r}.")


def check_batch_size(batch_size: Any, samples: int) -> int:
    """Returns the number of samples in a batch.

    Args:
        batch_size: what was received; -1 stands for all samples.
        samples: how many samples there are; without any, the size of a batch is 1.
    """
    if isinstance(batch_size, bool) or not hasattr(batch_size, "__index__"):
        raise ArgumentTypeError(
            f"`batch_size` must be an integer >= 1, or -1 for all samples; received {batch_size!r}."
        )
    size = int(batch_size)
    if size == -1:
        return max(1, samples)
    if size < 1:
        raise InvalidArgumentError(
            f"`batch_size` must be an integer >= 1, or -1 for all samples; received {batch_size!r}."
        )
    return size
