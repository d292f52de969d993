"""Checks of the options that say how samples are divided into subsets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import check_choice, check_int, in_words, is_integer
from imageloom._errors import ArgumentTypeError, InvalidArgumentError

__all__ = ["SPLITS", "Groups", "check_split", "checked_fold", "checked_groups"]

Groups = Callable[[str], Any] | Sequence[Any] | NDArray[Any] | str | None
SPLITS: Final = ("sorted", "random", "stratified")


def check_split(split: Any, seed: Any) -> None:
    """Raises unless `split` is the name of a way to divide samples, and `split_seed` a seed."""
    check_choice("split", split, SPLITS)
    check_int("split_seed", seed, 0, 2**32 - 1)


def checked_fold(fold: Any, validation_split: float | None) -> tuple[int, int] | None:
    """Returns `fold` as a pair of plain integers, or None.

    Raises:
        InvalidArgumentError, ArgumentTypeError: it is no fold, or there is a share as well.
    """
    if fold is None:
        return None
    example = "for example fold=(0, 5) for the first of five parts"
    if not isinstance(fold, (tuple, list)) or len(fold) != 2:
        raise ArgumentTypeError(
            f"`fold` must be (index, count), {example}, or None; received {in_words(fold)}."
        )
    if not all(is_integer(number) for number in fold):
        raise ArgumentTypeError(
            f"`fold` must be (index, count) with two integers, {example}; received {in_words(fold)}."
        )
    index, count = fold
    if count < 2 or not 0 <= index < count:
        raise InvalidArgumentError(
            f"`fold` must be (index, count) with a count of at least 2 and an index in 0..count-1, "
            f"{example}; received {in_words(fold)}."
        )
    if validation_split:
        raise InvalidArgumentError(
            f"`fold` and `validation_split` both say which samples are for validation; received "
            f"fold={(int(index), int(count))} and validation_split={validation_split!r}. Leave out "
            f"one of them: fold=(i, {int(count)}) validates with one part in {int(count)}."
        )
    return int(index), int(count)


def checked_groups(groups: Any) -> Any:
    """Returns `groups` if it is a name, a function or None; as a tuple if it has one for each image.

    Raises:
        ArgumentTypeError: it is anything else.
    """
    if groups is None or isinstance(groups, str) or callable(groups):
        return groups
    values = groups.tolist() if hasattr(groups, "tolist") else groups
    if not isinstance(values, (list, tuple)) or np.ndim(groups) > 1:
        raise ArgumentTypeError(
            "`groups` must be the name of a column (for flow_from_dataframe), a function of the "
            "file name that returns the group (for files), an array with the group of each image or "
            f"row, or None; received {in_words(groups)}."
        )
    return tuple(values)
