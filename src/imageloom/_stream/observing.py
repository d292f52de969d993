"""Lets `imageloom check` watch a program: which iterators it makes, and when it reads their batches."""

from __future__ import annotations

from typing import Any, Final, Protocol

__all__ = ["Observer", "observers"]


class Observer(Protocol):
    """What is told. While there is one, batches are computed by the thread that reads them."""

    def made(self, iterator: Any) -> None:
        """An iterator was made; nothing has been read."""
        ...

    def reads(self, supply: Any) -> None:
        """The batch of an iterator with this supply will be computed."""
        ...

    def has_read(self, supply: Any) -> None:
        """It was computed, and its warnings are told."""
        ...


observers: Final[list[Observer]] = []
