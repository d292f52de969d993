"""Which lines warnings name."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

MARK = "# warns"


def marked_line(function: Callable[..., Any]) -> int:
    lines, first = inspect.getsourcelines(function)
    (offset,) = (i for i, line in enumerate(lines) if line.rstrip().endswith(MARK))
    return first + offset


@contextmanager
def recorded() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def places(caught: Sequence[warnings.WarningMessage], text: str) -> set[tuple[str, int]]:
    found = {(w.filename, w.lineno) for w in caught if text in str(w.message)}
    assert found, f"{text!r} is not among {[str(w.message) for w in caught]}"
    return found


def dark() -> np.ndarray[Any, Any]:
    """Images that are not on the 0..255 scale."""
    return np.full((4, 8, 8, 3), 0.5, np.float32)


def without_ours(caught: Iterable[warnings.WarningMessage]) -> list[tuple[type[Warning], str]]:
    """What Keras warns of, too: without warnings about data and pixels, and without codes.

    Behind a code is only the line that says where it is explained.
    """
    told = [(w.category, str(w.message)) for w in caught]
    return [
        (c, re.sub(r" \[IL\d{3}\]\n.*$", "", text)) for c, text in told if not text.startswith("IL")
    ]
