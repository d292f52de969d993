"""Which samples, with which randomness, stand at a position of the stream.

An iterator is a view of one endless stream of batches. Position p is batch `p % len` of epoch
`p // len`; what stands there is a pure function of (number of samples, batch size, shuffle, seed, p)::

    samples          a slice of the epoch's order: `RandomState(seed + first position of the epoch)`
                     permutes 0..n-1, or counts up if `shuffle` is off
    random numbers   `RandomState(seed + p)`; for the first batch of a shuffled epoch this is the state
                     that the permutation has left behind

This is what Keras' iterator does under `next()`. Seeds wrap at 2**32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BatchSpec", "Sampler"]

_SEEDS: Final = 2**32
_EPOCHS_KEPT: Final = 2  # the one being read and the one being prefetched


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """What stands at one position: enough for anyone to compute the batch, anywhere, twice.

    Attributes:
        position: place in the endless stream.
        index: place in its epoch.
        indices: the samples, numbers into the data set.
        seed: seeds the batch's `RandomState`.
        permuted: that state first permutes this many items (0: it does not), as it did when the
            order of the epoch was drawn from it.
    """

    position: int
    index: int
    indices: NDArray[np.int64]
    seed: int
    permuted: int

    def random_state(self) -> np.random.RandomState:
        """The generator that the random transforms of this batch are drawn from."""
        state = np.random.RandomState(self.seed)
        if self.permuted:
            state.permutation(self.permuted)
        return state


class Sampler:
    """The order of the stream for one seed."""

    def __init__(self, samples: int, batch_size: int, *, shuffle: bool, seed: int) -> None:
        """`seed` in 0..2**32 - 1; `batch_size` >= 1."""
        self.samples = samples
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self._orders: dict[int, NDArray[np.int64]] = {}

    def __len__(self) -> int:
        """Batches in an epoch; the last one may be short."""
        return math.ceil(self.samples / self.batch_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """All sample numbers in the order of one epoch."""
        if not self.shuffle:
            epoch = 0
        order = self._orders.get(epoch)
        if order is None:
            order = np.arange(self.samples, dtype=np.int64)
            if self.shuffle:
                seed = (self.seed + epoch * len(self)) % _SEEDS
                order = np.random.RandomState(seed).permutation(self.samples)
            while len(self._orders) >= _EPOCHS_KEPT:
                self._orders.pop(next(iter(self._orders)))
            self._orders[epoch] = order
        return order

    def spec(self, position: int) -> BatchSpec:
        """What stands at `position`; an empty batch if there are no samples at all."""
        epoch, index = divmod(position, len(self) or 1)
        first = index * self.batch_size
        return BatchSpec(
            position=position,
            index=index,
            indices=self.order(epoch)[first : first + self.batch_size],
            seed=(self.seed + position) % _SEEDS,
            permuted=self.samples if self.shuffle and index == 0 else 0,
        )
