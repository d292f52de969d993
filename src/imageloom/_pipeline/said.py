"""What functions of the user say in another process: records of loggers, and warnings.

They come with the batch, and the process that reads it repeats them (see `repeating`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Said", "SaidRecord", "SaidWarning"]


@dataclass(frozen=True, slots=True)
class SaidRecord:
    """A record of a logger.

    Attributes:
        attributes: Those of the `logging.LogRecord`, which may be pickled.
    """

    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SaidWarning:
    """A warning.

    Attributes:
        message: The pickled warning; None if it cannot be pickled.
        text: What it says.
        filename, lineno: The line of code that it names.
        module: The module of that line.
        place: The sample that the function worked on, in words.
    """

    message: bytes | None
    text: str
    filename: str
    lineno: int
    module: str | None
    place: str


Said = tuple[SaidRecord | SaidWarning, ...]
