"""Which samples, with which randomness, stand at a position of the stream.

An iterator is a view of one endless stream of batches. Position p is batch `p % len` of epoch
`p // len`; what stands there is a pure function of (number of samples, batch size, shuffle, seed, p)::

    samples          a slice of the epoch's order: `RandomState(seed + first position of the epoch)`
                     permutes 0..n-1, or counts up if `shuffle` is off
    random numbers   `RandomState(seed + p)`; for the first batch of a shuffled epoch this is the state
                     that the permutation has left behind

This is what Keras' iterator does under `next()`. Seeds wrap at 2**32.

A balanced order (`balance=True`), which Keras does not know, draws every class equally often, samples
within a class with replacement, from a stream of its own for each epoch; batches then begin with their
seed's plain state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom.errors import InvalidArgumentError
from imageloom.validation import check_seed

__all__ = ["BatchSpec", "OrderOptions", "Sampler"]

_SEEDS: Final = 2**32
_BALANCED: Final = 5  # the purpose of the stream that balanced orders are drawn from
_EPOCHS_KEPT: Final = 2  # the one being read and the one being prefetched


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOptions:
    """In which order samples come, as a flow method was asked.

    Attributes:
        shuffle: a new order every epoch.
        seed: None where one is to be drawn at the first batch.
        balance: epochs draw all classes equally often.
    """

    shuffle: bool
    seed: int | None
    balance: bool = False

    def __post_init__(self) -> None:
        """Checks that they go together.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a bad seed; a balanced order that is not drawn.
        """
        object.__setattr__(self, "seed", check_seed(self.seed))
        if self.balance and not self.shuffle:
            raise InvalidArgumentError(
                "`balance=True` draws samples anew every epoch, and `shuffle=False` asks for their own "
                "order: leave one of them out."
            )


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

    def __init__(
        self,
        samples: int,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int,
        class_numbers: NDArray[np.integer[Any]] | None = None,
    ) -> None:
        """`seed` in 0..2**32 - 1; `batch_size` >= 1; with `class_numbers` the order is balanced."""
        self.samples = samples
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self._classes: list[NDArray[np.int64]] = []
        if class_numbers is not None:
            numbers = np.unique(class_numbers)
            self._classes = [np.flatnonzero(class_numbers == number) for number in numbers]
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
            order = self._drawn(epoch)
            while len(self._orders) >= _EPOCHS_KEPT:
                self._orders.pop(next(iter(self._orders)))
            self._orders[epoch] = order
        return order

    def _drawn(self, epoch: int) -> NDArray[np.int64]:
        seed = (self.seed + epoch * len(self)) % _SEEDS
        if self._classes:
            return _balanced(self._classes, self.samples, np.random.default_rng((seed, _BALANCED)))
        if self.shuffle:
            return np.random.RandomState(seed).permutation(self.samples)
        return np.arange(self.samples, dtype=np.int64)

    def spec(self, position: int) -> BatchSpec:
        """What stands at `position`; an empty batch if there are no samples at all."""
        epoch, index = divmod(position, len(self) or 1)
        first = index * self.batch_size
        return BatchSpec(
            position=position,
            index=index,
            indices=self.order(epoch)[first : first + self.batch_size],
            seed=(self.seed + position) % _SEEDS,
            permuted=self.samples if self.shuffle and not self._classes and index == 0 else 0,
        )


def _balanced(
    classes: list[NDArray[np.int64]], samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """So many samples, equally many of each class; who gets one more is drawn, too."""
    counts = np.full(len(classes), samples // len(classes))
    counts[rng.permutation(len(classes))[: samples % len(classes)]] += 1
    drawn = [rng.choice(members, count) for members, count in zip(classes, counts, strict=True)]
    return rng.permutation(np.concatenate(drawn))
