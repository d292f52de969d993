"""The samples and the random seed of each position of the stream.

An iterator reads one endless stream of batches. Position p is batch `p % len` of epoch `p // len`.
Its samples and seed are a pure function of (number of samples, batch size, shuffle, seed, p)::

    samples          a slice of the epoch's order: `RandomState(seed + first position of the epoch)`
                     permutes 0..n-1, or counts up if `shuffle` is off
    random numbers   `RandomState(seed + p)`; for the first batch of a shuffled epoch this is the state
                     after the permutation

Keras' iterator does the same with `next()`. Seeds wrap at 2**32.

Keras does not have the following two orders. They use a separate random stream for each epoch, and
their batches always start with `RandomState(seed + p)`. A balanced order (`balance=True`) draws
every class equally often, with replacement within a class. `shuffle="fast"` computes a permutation
on demand.

A program may assign an iterator's attributes in the middle of an epoch, as with Keras. `seen`, the
number that is added to the seed, is then no longer the position, but differs from it by `shift`. What
is left of the epoch keeps its order until the next one is drawn (`Rest`).

Shard r of c has batches r, r + c, r + 2c, ... of each epoch of the whole stream, with the samples
and random numbers of the whole stream. Positions are counted within the shard.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import check_batch_size, check_seed, check_shard
from imageloom._errors import InvalidArgumentError, StateMismatchError
from imageloom._pipeline.recipe import BatchSpec
from imageloom._pipeline.seeds import StreamPurpose, drawing_from
from imageloom._pipeline.shortage import memory_told
from imageloom._pipeline.spare_states import borrowed_state, drawn_permutation
from imageloom._sources.base import SampleSource
from imageloom._stream.permutation import KeyedPermutation

__all__ = ["OrderOptions", "Rest", "Sampler", "SamplesChangedError", "StreamOrder"]

_SEEDS: Final = 2**32
_EPOCHS_KEPT: Final = 2  # the one being read and the one being prefetched


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOptions:
    """The arguments of a flow method that describe the order of samples.

    Attributes:
        shuffle: True for a new order every epoch; "fast" for an order that is computed on demand.
        seed: the seed; for None, the first batch draws one.
        balance: whether epochs draw all classes equally often.
        shard: (index, count); (0, 1) is the whole stream.
    """

    shuffle: bool | str
    seed: int | None
    balance: bool = False
    shard: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        """Checks the arguments, alone and together.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a seed or shard that is not allowed; `balance`
                without `shuffle=True`; shards without a seed.
        """
        if isinstance(self.shuffle, str) and self.shuffle != "fast":
            raise InvalidArgumentError(
                f'`shuffle` must be True, False or "fast"; received {self.shuffle!r}.'
            )
        object.__setattr__(self, "shuffle", self.shuffle if self.fast else bool(self.shuffle))
        object.__setattr__(self, "seed", check_seed(self.seed))
        object.__setattr__(self, "shard", check_shard(self.shard))
        if self.balance and not (self.shuffle and not self.fast):
            raise InvalidArgumentError(
                "`balance=True` draws the samples of every epoch and needs shuffle=True; received "
                f"shuffle={self.shuffle!r}."
            )
        if self.shard[1] > 1 and self.seed is None:
            raise InvalidArgumentError(
                "Shards need the same seed in every process, but `seed` is None: pass `seed`. Without "
                "it, each process would draw another seed, and samples would be repeated or left out."
            )

    @property
    def fast(self) -> bool:
        """Whether the order is computed on demand."""
        return self.shuffle == "fast"


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of an epoch whose order was drawn before an attribute was assigned.

    Attributes:
        epoch: the epoch.
        order: sample numbers, of which each batch is a slice; there may be any number of them.
        offset: where the slice of batch 0 begins, if that is not the first one.
        goes_on: whether `next` reads it from batch 0 on; else it draws a new order there.
        ahead: by how much Keras' index, which is counted round, is above the number of a batch.
    """

    epoch: int
    order: NDArray[np.int64]
    offset: int = 0
    goes_on: bool = False
    ahead: int = 0


# A user's class draws the order of an epoch, with NumPy's global generator.
DrawOrder = Callable[[], NDArray[np.int64]]


class SamplesChangedError(Exception):
    """Tells that who draws an order has changed the number of samples of an epoch."""

    def __init__(self, samples: int) -> None:
        """`samples` is the new number."""
        super().__init__(samples)
        self.samples = samples


class Sampler:
    """Computes the samples and the seed of each position, for one seed of the stream."""

    def __init__(
        self,
        samples: int,
        batch_size: int,
        *,
        shuffle: bool | str,
        seed: int,
        class_numbers: NDArray[np.integer[Any]] | None = None,
        shard: tuple[int, int] = (0, 1),
        rest: Rest | None = None,
        draw_order: DrawOrder | None = None,
    ) -> None:
        """Needs `seed` in 0..2**32 - 1, `batch_size` >= 1; with `class_numbers` it is balanced.

        `rest` replaces the order of one epoch; `draw_order` is called for every other one.
        """
        self.samples = samples
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.shard, self.shards = shard
        self._batches = math.ceil(samples / batch_size)  # of an epoch of the whole stream
        self._classes: list[NDArray[np.int64]] = []
        if class_numbers is not None:
            numbers = np.unique(class_numbers)
            self._classes = [np.flatnonzero(class_numbers == number) for number in numbers]
        self._rest = rest
        self._draw_order = draw_order
        self._orders: dict[int, NDArray[np.int64]] = {}
        self._states: dict[int, Any] = {}  # that have drawn them, where a user's class did that
        # Whether the first batch of an epoch continues with the state that has drawn the order.
        self._as_keras = shuffle is True and not self._classes

    def __len__(self) -> int:
        """Batches in an epoch of this shard; the last one of the whole stream may be shorter."""
        return self._batches // self.shards

    def knows(self, position: int) -> bool:
        """Whether the order of this position's epoch was drawn already, and is kept."""
        return position // (len(self) or 1) in self._orders

    def order(self, epoch: int) -> NDArray[np.int64]:
        """All sample numbers in the order of one epoch of the whole stream."""
        if self._rest is not None and self._rest.epoch == epoch:
            return self._rest.order
        order = self._orders.get(epoch)
        if order is None:
            order = self._drawn(epoch)
            while len(self._orders) >= _EPOCHS_KEPT:
                self._orders.pop(next(iter(self._orders)))
            self._orders[epoch] = order
        return order

    def _drawn(self, epoch: int) -> NDArray[np.int64]:
        seed = self._seed(epoch, 0)
        if self._draw_order is not None:
            with borrowed_state(seed) as state:
                with drawing_from(state):
                    order = self._draw_order()
                while len(self._states) >= _EPOCHS_KEPT:
                    self._states.pop(next(iter(self._states)))
                self._states[epoch] = state.get_state(legacy=False)
            return order
        if self._classes:
            return _balanced(
                self._classes, self.samples, np.random.default_rng((seed, StreamPurpose.BALANCED_ORDER))
            )
        if self.shuffle == "fast":
            return self._computed(epoch, 0, self.samples)
        if self.shuffle:
            return drawn_permutation(seed, self.samples)
        return np.arange(self.samples, dtype=np.int64)

    def _seed(self, epoch: int, batch: int) -> int:
        return (self.seed + epoch * self._batches + batch) % _SEEDS

    def _computed(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        permutation = KeyedPermutation(
            max(1, self.samples), (self._seed(epoch, 0), StreamPurpose.FAST_ORDER)
        )
        return permutation(np.arange(start, stop, dtype=np.int64))

    def _slice(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        if self._rest is not None and self._rest.epoch == epoch:
            offset = self._rest.offset
            return self._rest.order[max(0, start + offset) : max(0, stop + offset)]
        if self._draw_order is not None or epoch in self._orders:
            return self.order(epoch)[start:stop]
        stop = min(stop, self.samples)
        if self.shuffle == "fast":
            return self._computed(epoch, start, stop)
        if not self.shuffle:
            return np.arange(start, stop, dtype=np.int64)
        return self.order(epoch)[start:stop]

    def spec(self, position: int) -> BatchSpec:
        """The samples and the seed of a position; an empty batch if there are no samples."""
        epoch, number = divmod(position, len(self) or 1)
        index = number * self.shards + self.shard
        first = index * self.batch_size
        drawn_now = index == 0 and (self._rest is None or self._rest.epoch != epoch)
        with memory_told():
            indices = self._slice(epoch, first, first + self.batch_size)
        return BatchSpec(
            position=position,
            index=index,
            indices=indices,
            seed=self._seed(epoch, index),
            permuted=self.samples if self._as_keras and drawn_now else 0,
            drawn=self._states.get(epoch) if drawn_now else None,
        )


def _balanced(
    classes: list[NDArray[np.int64]], samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draws equally many samples of each class; random classes get one more if some remain."""
    counts = np.full(len(classes), samples // len(classes))
    counts[rng.permutation(len(classes))[: samples % len(classes)]] += 1
    drawn = [rng.choice(members, count) for members, count in zip(classes, counts, strict=True)]
    return rng.permutation(np.concatenate(drawn))


class StreamOrder:
    """The order of samples of one iterator: its data set, batch size, shard and seed.

    Attributes:
        options: the arguments of the flow method.
        samples: how many samples an epoch has; those of the data set, unless it was assigned.
        shift: what is added to a position to get the number that is added to the seed.
        rest: what is left of an epoch with an earlier order, or None.
        draw_order: sets the order of an epoch, if a user's class does that; else None.
    """

    def __init__(self, source: SampleSource, batch_size: int, options: OrderOptions) -> None:
        """Checks the batch size; draws no seed yet.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a batch size that is below 1 (except -1, all
                samples) or leaves a shard without a batch; `balance` without one class per sample.
        """
        self.samples = len(source)
        self.shift = 0
        self.rest: Rest | None = None
        self.draw_order: DrawOrder | None = None
        self.options = options
        self._balanced_classes = source.class_numbers("balance=True") if options.balance else None
        self._batch_size = self._checked(batch_size)
        self._seed = options.seed
        self._sampler: Sampler | None = None

    def __len__(self) -> int:
        """Batches in an epoch, of this shard."""
        return self.batches // self.options.shard[1]

    @property
    def batches(self) -> int:
        """Batches in an epoch, of all shards."""
        return math.ceil(self.samples / self._batch_size)

    @property
    def batch_size(self) -> int:
        """Samples in a batch."""
        return self._batch_size

    def set_batch_size(self, value: int) -> None:
        """Changes the number of samples in a batch."""
        self._batch_size = self._checked(value)
        self.forget()

    @property
    def shuffle(self) -> bool | str:
        """Whether every epoch has a new order."""
        return self.options.shuffle

    def set_options(self, **values: Any) -> None:
        """Changes some of the options."""
        self.options = dataclasses.replace(self.options, **values)
        if "seed" in values:
            self._seed = self.options.seed
        self.forget()

    def set_samples(self, samples: int) -> None:
        """Changes how many samples an epoch has."""
        self.samples = samples
        self.forget()

    def forget(self) -> None:
        """Makes `sampler` return a new one, for what has changed."""
        self._sampler = None

    @property
    def balance(self) -> bool:
        """Whether epochs draw all classes equally often."""
        return self._balanced_classes is not None

    @property
    def seed(self) -> int:
        """The stream's seed; if none was given, the first call draws one from NumPy."""
        if self._seed is None:
            self._seed = int(np.random.randint(0, 2**32, dtype=np.uint32))
        return self._seed

    def take_seed(self, seed: int) -> None:
        """Sets the seed to that of a saved state.

        Raises:
            StateMismatchError: the iterator was given another seed.
        """
        if self.options.seed is not None and seed != self.options.seed:
            raise StateMismatchError(
                f"The state was made with seed {seed}, but this iterator has seed "
                f"{self.options.seed}: pass seed={seed}, or no seed, to use that of the state."
            )
        self._seed, self._sampler = seed, None

    def sampler(self) -> Sampler:
        """The sampler for the current seed, batch size and shuffle."""
        if self._sampler is None:
            self._sampler = self.sampler_from(self.shift, self.rest)
        return self._sampler

    def sampler_from(self, seen: int, rest: Rest | None = None) -> Sampler:
        """A sampler whose position 0 adds `seen` to the seed."""
        return Sampler(
            self.samples,
            self._batch_size,
            shuffle=self.shuffle,
            seed=(self.seed + seen) % _SEEDS,
            class_numbers=self._balanced_classes,
            shard=self.options.shard,
            rest=rest,
            draw_order=self.draw_order,
        )

    def own_position(self, position: int, shards: int) -> int:
        """Converts a position in a stream of `shards` shards to a position in this stream.

        Raises:
            StateMismatchError: the numbers of shards differ, and the position is within an epoch.
        """
        own = self.options.shard[1]
        if shards == own:
            return position
        whole = self.batches
        epoch, batch = divmod(position, max(1, whole // shards))
        if batch:
            raise StateMismatchError(
                f"The state is from batch {batch} of an epoch in {shards} shards, but this stream has "
                f"{own}: use {shards} shards, or a state from the start of an epoch."
            )
        return epoch * len(self)

    def _checked(self, value: int) -> int:
        samples, shards = self.samples, self.options.shard[1]
        size = check_batch_size(value, samples)
        batches = math.ceil(samples / size)
        if shards > 1 and batches < shards:  # without shards, an empty data set is allowed
            raise InvalidArgumentError(
                f"An epoch of {samples} samples in batches of {size} has {batches} batches, which is "
                f"too few for {shards} shards: pass a smaller `batch_size`."
            )
        return size
