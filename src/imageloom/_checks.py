"""Checks of single arguments: what was received, what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from imageloom._errors import ArgumentTypeError, InvalidArgumentError

__all__ = [
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
    "shift_range",
    "zoom_bounds",
]


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real)


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Raises unless `value` is one of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        raise InvalidArgumentError(
            f"Invalid {name}: `{name}` must be one of {', '.join(map(repr, allowed))}; "
            f"received {value!r}."
        )


def check_seed(seed: Any) -> int | None:
    """A seed as a plain int, or None; raises unless 0 <= seed < 2**32."""
    if seed is None:
        return None
    if not _is_integer(seed):
        raise ArgumentTypeError(f"`seed` must be an integer or None, received {seed!r}.")
    if not 0 <= seed < 2**32:
        raise InvalidArgumentError(f"`seed` must be in 0..2**32 - 1, received {seed!r}.")
    return int(seed)


def check_shard(shard: Any) -> tuple[int, int]:
    """(index, count) of a part; raises unless 0 <= index < count."""
    if (
        not isinstance(shard, (tuple, list))
        or len(shard) != 2
        or not all(_is_integer(number) for number in shard)
    ):
        raise ArgumentTypeError(
            f'`shard` is (index, count), two integers, or "auto", or None; received {shard!r}.'
        )
    index, count = (int(number) for number in shard)
    if not 0 <= index < count:
        raise InvalidArgumentError(
            f"`shard` is (index, count) with 0 <= index < count; received {shard!r}."
        )
    return index, count


def check_subset(subset: object) -> None:
    """Raises unless `subset` is None or one of Keras' two words."""
    if subset not in (None, "training", "validation"):
        raise InvalidArgumentError(
            f"Invalid subset name: {subset!r}; expected 'training', 'validation' or None."
        )


def check_number(name: str, value: Any) -> None:
    """Raises unless `value` is a finite real number."""
    if not _is_real(value):
        raise ArgumentTypeError(f"`{name}` must be a number, received {value!r}.")
    if not math.isfinite(value):
        raise InvalidArgumentError(f"`{name}` must be finite, received {value!r}.")


def check_int(
    name: str, value: Any, low: int, high: int | None = None, also: str | None = None
) -> None:
    """Raises unless `value` is an integer in the given range; `also` words what else is allowed."""
    allowed = f"an integer >= {low}" if high is None else f"an integer in {low}..{high}"
    if also:
        allowed += f", {also}"
    if not _is_integer(value):
        raise ArgumentTypeError(f"`{name}` must be {allowed}; received {value!r}.")
    if value < low or (high is not None and value > high):
        raise InvalidArgumentError(f"`{name}` must be {allowed}; received {value!r}.")


def check_cores(cores: Any) -> None:
    """Raises unless `cores` is a number of workers or a share of the cores."""
    if isinstance(cores, bool) or not _is_real(cores):
        raise ArgumentTypeError(
            f"`cores` is a number of workers (int, -1 for all cores) or a share of the cores "
            f"(float in 0..1); received {cores!r}."
        )
    if not _is_integer(cores) and not 0 <= cores <= 1:
        raise InvalidArgumentError(
            f"As a float, `cores` is a share of the machine's cores in 0..1; received {cores!r}. "
            "Pass an int for a number of workers."
        )


def check_validation_split(split: Any) -> None:
    """Keras' rule: off, or strictly between 0 and 1."""
    if not split:
        return
    if not _is_real(split):
        raise ArgumentTypeError(f"`validation_split` must be a number, received {split!r}.")
    if not 0 < split < 1:
        raise InvalidArgumentError(
            f"`validation_split` must be strictly between 0 and 1; received {split!r}."
        )


def zoom_bounds(zoom: Any) -> list[float]:
    """Keras' `zoom_range` as its two bounds."""
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
    """Raises unless `pair` is None or a tuple or list of two numbers."""
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
    """A number, or a list of numbers; arrays become lists, whose truth is not ambiguous."""
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


def check_dtype(dtype: Any) -> None:
    """Raises unless pixels can have this dtype."""
    try:
        kind = np.dtype(dtype).kind
    except TypeError as error:
        raise ArgumentTypeError(f"`dtype` is not a NumPy dtype: {dtype!r}.") from error
    if kind not in "fiu":
        raise InvalidArgumentError(f"`dtype` must be a floating or integer type, received {dtype!r}.")


def check_batch_size(batch_size: Any, samples: int) -> int:
    """The number of samples in a batch; -1 means all, and at least one."""
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
