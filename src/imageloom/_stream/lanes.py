"""The ways from the workers to the readers of one stream.

There are two if devices finish batches: workers send those of `next` finished, and those that go to a
device unfinished. Only one is in use at a time; the other one computes nothing ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imageloom._executors.base import Channel
from imageloom._stream.prefetch import Prefetch
from imageloom._stream.supply import BatchSupply

__all__ = ["Lane"]


@dataclass(slots=True)
class Lane:
    """One way.

    Attributes:
        supply: The batches from the workers.
        open_channel: Opens a channel to the workers, for the recipe as it is then.
        prefetch: The positions to compute in advance.
    """

    supply: BatchSupply
    open_channel: Callable[[], Channel]
    prefetch: Prefetch

    def rest(self) -> None:
        """Drops what was computed ahead, because another lane is in use."""
        self.supply.drop()
        self.prefetch.interrupt()
