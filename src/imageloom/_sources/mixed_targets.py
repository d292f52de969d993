"""Mixes the targets of a batch as its images are mixed, and says which targets cannot be mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._imaging.mixing import Mixture
from imageloom._sources.arrays import ArraySource
from imageloom._sources.base import SampleSource
from imageloom._sources.files import FileSource

__all__ = ["check_can_mix", "mixed_rows"]


def mixed_rows(mixture: Mixture | None, rows: Any) -> Any:
    """Returns targets, a list of them, or weights, mixed; None stays None."""
    if mixture is None or rows is None:
        return rows
    if isinstance(rows, list):
        return [mixture.mix_rows(column) for column in rows]
    return mixture.mix_rows(rows)


def check_can_mix(source: SampleSource, named: str) -> None:
    """Raises if the targets of a data set are class numbers, or no numbers.

    Args:
        source: the data set.
        named: the option that mixes them.

    Raises:
        InvalidArgumentError: they are class numbers, of which no other one lies between two, or boxes
            or points.
        ArgumentTypeError: they are no numbers.
    """
    if source.coordinates is not None:
        raise InvalidArgumentError(
            f"`{named}` mixes targets, but boxes and points cannot be mixed: leave out `{named}`."
        )
    if isinstance(source, ArraySource):
        for further in source.x_misc:
            _check_rows(further, "`x`, the further inputs,", "floats", named)
        if source.y is not None:
            _check_rows(source.y, "`y`", "rows with a one for the class: to_categorical(y)", named)
    if not isinstance(source, FileSource):
        return
    if source.class_mode == "sparse":
        raise InvalidArgumentError(
            f'`{named}` mixes targets, but class_mode="sparse" has class numbers, which cannot be '
            'mixed: pass class_mode="categorical".'
        )
    if source.class_mode in ("raw", "multi_output") and source.columns is not None:
        columns = source.columns if isinstance(source.columns, list) else [source.columns]
        for column in columns:
            _check_rows(np.asarray(column), "`y_col`", 'class_mode="categorical"', named)


def _check_rows(rows: NDArray[Any], what: str, instead: str, named: str) -> None:
    if rows.dtype.kind not in "biuf":
        raise ArgumentTypeError(
            f"`{named}` mixes targets, but {what} has values of type {rows.dtype}, which cannot be "
            f"mixed: pass {instead}."
        )
    single = rows.ndim == 1 or rows.size == len(rows)
    if single and rows.dtype.kind in "iu" and rows.size and not 0 <= rows.min() <= rows.max() <= 1:
        raise InvalidArgumentError(
            f"`{named}` mixes targets, but {what} has whole numbers such as {rows.max()}, which are "
            f"class numbers and cannot be mixed: pass {instead}; or quantities as floats."
        )
