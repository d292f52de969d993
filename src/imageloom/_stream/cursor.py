"""The position of an iterator in its endless stream of batches.

::

    position  0  1  2 | 3  4  5 | 6  7  8      length 3; epochs of batches 0, 1, 2
                          ^ position 4: `next` hands out batch 1 of epoch 1
                        ^ pass_start 3: `it[0]` is batch 0 of epoch 1

Two protocols move the same cursor. `next(it)` moves to the next position. Keras reads `it[i]` in
any sequence and then reports the end of its epoch. This is one *pass*. The next pass begins where
it ends.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Cursor"]

_NOTED: Final = 4096  # far more than any framework requests ahead of its training


@dataclass(slots=True)
class Cursor:
    """A position in a stream, and the batches of the current epoch that were handed out.

    Attributes:
        length: number of batches in an epoch; 0 for an empty data set.
        position: the position of the batch that `next` hands out.
        pass_start: the position of `it[0]`, which is the start of an epoch, unless a state from the
            middle of an epoch was loaded.
        handed_out: numbers, within the epoch, of the batches that were handed out in this pass.
        epochs_ahead: number of epochs that a queue of `tf_keras` has started ahead of the training.
        in_order: whether the batches of this pass were requested in sequence, starting with the
            first.
        furthest: the largest batch number that was requested in this pass; -1 for none.
        requests: how many batches were requested by their numbers, in all passes.
    """

    length: int
    position: int = 0
    pass_start: int = 0
    handed_out: set[int] = field(default_factory=set)
    epochs_ahead: int = 0
    in_order: bool = True
    furthest: int = -1
    requests: int = field(default=0, compare=False)
    _latest: deque[int] = field(default_factory=lambda: deque(maxlen=_NOTED), compare=False)

    @property
    def epoch(self) -> int:
        """The epoch of `position`."""
        return self.position // max(1, self.length)

    @property
    def batch_index(self) -> int:
        """The number of the batch at `position` within its epoch."""
        return self.position % max(1, self.length)

    @property
    def epoch_start(self) -> int:
        """The position of the epoch's first batch."""
        return self.epoch * self.length

    @property
    def finished(self) -> bool:
        """Whether all batches of the pass were handed out."""
        return len(self.handed_out) >= self.length

    @property
    def untouched(self) -> bool:
        """Whether no batch of the pass was handed out."""
        return not self.handed_out

    def step(self) -> int:
        """Moves by one batch, as `next` does; returns the position of the batch to hand out."""
        position = self.position
        self._note(position)
        self.position += 1
        if self.batch_index == 0:
            self.handed_out.clear()
        self.pass_start = self.epoch_start
        return position

    def ask(self, index: int) -> int:
        """Records that batch `index` of the pass is handed out; returns its position."""
        self.in_order &= index <= self.furthest + 1
        self.furthest = max(index, self.furthest)
        self._note(self.pass_start + index)
        self.requests += 1
        self._latest.append(self.pass_start + index)
        return self.pass_start + index

    def requested(self, request: int) -> int | None:
        """Returns the position of a request, counted from 0; None if that is long ago, or to come."""
        place = request - self.requests
        return self._latest[place] if -len(self._latest) <= place < 0 else None

    def advance(self, epochs: int) -> None:
        """Begins a pass, `epochs` epochs after the start of this one."""
        self.jump(self.pass_start + epochs * self.length)

    def rewind(self) -> None:
        """Returns to the first batch of the epoch."""
        self.jump(self.epoch_start)

    def place(self, epoch: int, batch: int, length: int) -> None:
        """Changes the length of epochs, and moves to a batch of an epoch.

        If nothing changes, neither does what was handed out of the pass.
        """
        position = epoch * length + batch
        if (position, length) != (self.position, self.length):
            self.length = length
            kept = {index for index in self.handed_out if index < length}
            self.jump(position)
            self.pass_start, self.handed_out = self.epoch_start, kept

    def jump(self, position: int) -> None:
        """Begins a pass at a position."""
        self.position = self.pass_start = position
        self.restart_pass()

    def restart_pass(self) -> None:
        """Forgets which batches were handed out; the position stays the same."""
        self.handed_out.clear()
        self.epochs_ahead = 0
        self.in_order, self.furthest = True, -1

    def _note(self, position: int) -> None:
        self.handed_out.add(position % max(1, self.length))
