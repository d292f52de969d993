"""What cannot be meant in a data set, as a record that flow methods, commands and tests read."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Mistake"]


class Mistake(NamedTuple):
    """Something in a data set that cannot be meant, or hardly.

    Attributes:
        kind: what it is, in a word that never changes, such as "flat-folder".
        text: the cause, how often, an example, and a remedy.
    """

    kind: str
    text: str
