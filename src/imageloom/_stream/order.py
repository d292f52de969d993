"""Which samples, with which randomness, stand at a position of the stream.

An iterator is a view of one endless stream of batches. Position p is batch `p % len` of epoch
`p // len`; what stands there is a pure function of (number of samples, batch size, shuffle, seed, p)::

    samples          a slice of the epoch's order: `RandomState(seed + first position of the epoch)`
                     permutes 0..n-1, or counts up if `shuffle` is off
    random numbers   `RandomState(seed + p)`; for the first batch of a shuffled epoch this is the state
                     that the permutation has left behind

This is what Keras' iterator does under `next()`. Seeds wrap at 2**32.

Two orders that Keras does not know have streams of their own for each epoch, and their batches begin
with their seed's plain state: a balanced one (`balance=True`) draws every class equally often, samples
within a class with replacement; `shuffle="fast"` is a permutation computed on demand.

Shard r of c has batches r, r + c, r + 2c, ... of each epoch of the whole stream, with that stream's
samples and random numbers; positions are the shard's own.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks import check_batch_size, check_seed, check_shard
from imageloom._errors import InvalidArgumentError, StateMismatchError
from imageloom._pipeline.recipe import BatchSpec
from imageloom._pipeline.seeds import StreamPurpose
from imageloom._sources.base import SampleSource
from imageloom._stream.permutation import KeyedPermutation

__all__ = ["OrderOptions", "Sampler", "StreamOrder"]

_SEEDS: Final = 2**32
_EPOCHS_KEPT: Final = 2  # the one being read and the one being prefetched


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOptions:
    """In which order samples come, as a flow method was asked.

    Attributes:
        shuffle: a new order every epoch; "fast" for one that is computed on demand.
        seed: None where one is to be drawn at the first batch.
        balance: epochs draw all classes equally often.
        shard: index and count; (0, 1) is the whole stream.
    """

    shuffle: bool | str
    seed: int | None
    balance: bool = False
    shard: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        """Checks that they go together.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a bad seed or shard; a balanced order that is not
                drawn; shards without a common seed.
        """
        if isinstance(self.shuffle, str) and self.shuffle != "fast":
            raise InvalidArgumentError(
                f'`shuffle` is True, False or "fast"; received {self.shuffle!r}.'
            )
        object.__setattr__(self, "shuffle", self.shuffle if self.fast else bool(self.shuffle))
        object.__setattr__(self, "seed", check_seed(self.seed))
        object.__setattr__(self, "shard", check_shard(self.shard))
        if self.balance and not (self.shuffle and not self.fast):
            raise InvalidArgumentError(
                "`balance=True` draws all samples of an epoch anew and needs shuffle=True; received "
                f"shuffle={self.shuffle!r}."
            )
        if self.shard[1] > 1 and self.seed is None:
            raise InvalidArgumentError(
                "Shards of one stream need a seed, the same in every process: pass `seed`. Without one "
                "each process would draw another, and their parts would not fit together."
            )

    @property
    def fast(self) -> bool:
        """Whether the order is computed on demand."""
        return self.shuffle == "fast"


class Sampler:
    """The order of the stream for one seed."""

    def __init__(
        self,
        samples: int,
        batch_size: int,
        *,
        shuffle: bool | str,
        seed: int,
        class_numbers: NDArray[np.integer[Any]] | None = None,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        """`seed` in 0..2**32 - 1; `batch_size` >= 1; with `class_numbers` the order is balanced."""
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
        self._orders: dict[int, NDArray[np.int64]] = {}
        # Whether the order is drawn from the state that the first batch's random numbers go on from.
        self._as_keras = shuffle is True and not self._classes

    def __len__(self) -> int:
        """Batches in an epoch of this shard; the whole stream's last one may be short."""
        return self._batches // self.shards

    def order(self, epoch: int) -> NDArray[np.int64]:
        """All sample numbers in the order of one epoch of the whole stream."""
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
        seed = self._seed(epoch, 0)
        if self._classes:
            return _balanced(
                self._classes, self.samples, np.random.default_rng((seed, StreamPurpose.BALANCED_ORDER))
            )
        if self.shuffle == "fast":
            return self._computed(epoch, 0, self.samples)
        if self.shuffle:
            return np.random.RandomState(seed).permutation(self.samples)
        return np.arange(self.samples, dtype=np.int64)

    def _seed(self, epoch: int, batch: int) -> int:
        return (self.seed + epoch * self._batches + batch) % _SEEDS

    def _computed(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        permutation = KeyedPermutation(
            max(1, self.samples), (self._seed(epoch, 0), StreamPurpose.FAST_ORDER)
        )
        return permutation(np.arange(start, stop, dtype=np.int64))

    def _slice(self, epoch: int, start: int, stop: int) -> NDArray[np.int64]:
        stop = min(stop, self.samples)
        if self.shuffle == "fast":
            return self._computed(epoch, start, stop)
        if not self.shuffle:
            return np.arange(start, stop, dtype=np.int64)
        return self.order(epoch)[start:stop]

    def spec(self, position: int) -> BatchSpec:
        """What stands at `position`; an empty batch if there are no samples at all."""
        epoch, number = divmod(position, len(self) or 1)
        index = number * self.shards + self.shard
        first = index * self.batch_size
        return BatchSpec(
            position=position,
            index=index,
            indices=self._slice(epoch, first, first + self.batch_size),
            seed=self._seed(epoch, index),
            permuted=self.samples if self._as_keras and index == 0 else 0,
        )


def _balanced(
    classes: list[NDArray[np.int64]], samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """So many samples, equally many of each class; who gets one more is drawn, too."""
    counts = np.full(len(classes), samples // len(classes))
    counts[rng.permutation(len(classes))[: samples % len(classes)]] += 1
    drawn = [rng.choice(members, count) for members, count in zip(classes, counts, strict=True)]
    return rng.permutation(np.concatenate(drawn))


class StreamOrder:
    """The order of one iterator's stream: its data set, batch size, shard, and seed once there is one.

    Attributes:
        options: what the flow method was asked for.
    """

    def __init__(self, source: SampleSource, batch_size: int, options: OrderOptions) -> None:
        """Draws no seed yet.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a batch size below 1 (-1: all samples), or one that
                leaves shards without a batch; a balanced order of samples without one class each.
        """
        self._source = source
        self.options = options
        self._balanced_classes = source.class_numbers("balance=True") if options.balance else None
        self._batch_size = self._checked(batch_size)
        self._seed = options.seed
        self._sampler: Sampler | None = None

    def __len__(self) -> int:
        """Batches in an epoch, of this shard."""
        return math.ceil(len(self._source) / self._batch_size) // self.options.shard[1]

    @property
    def batch_size(self) -> int:
        """Samples in a batch."""
        return self._batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        self._batch_size = self._checked(value)
        self._sampler = None

    @property
    def shuffle(self) -> bool | str:
        """Whether every epoch has an order of its own."""
        return self.options.shuffle

    @shuffle.setter
    def shuffle(self, value: bool | str) -> None:
        self.options = dataclasses.replace(self.options, shuffle=value)
        self._sampler = None

    @property
    def balance(self) -> bool:
        """Whether epochs draw all classes equally often."""
        return self._balanced_classes is not None

    @property
    def seed(self) -> int:
        """The stream's seed; if none was given, the first call draws it from NumPy's global state."""
        if self._seed is None:
            self._seed = int(np.random.randint(0, 2**32, dtype=np.uint32))
        return self._seed

    def take_seed(self, seed: int) -> None:
        """Takes over the seed of a saved state.

        Raises:
            StateMismatchError: the iterator was given another one.
        """
        if self.options.seed is not None and seed != self.options.seed:
            raise StateMismatchError(
                f"The state was made with seed {seed}, and this iterator has seed "
                f"{self.options.seed}. Use that seed, or none: then the state's is taken over."
            )
        self._seed, self._sampler = seed, None

    def sampler(self) -> Sampler:
        """Which samples stand where."""
        if self._sampler is None:
            self._sampler = Sampler(
                len(self._source),
                self._batch_size,
                shuffle=self.shuffle,
                seed=self.seed,
                class_numbers=self._balanced_classes,
                shard=self.options.shard,
            )
        return self._sampler

    def own_position(self, position: int, shards: int) -> int:
        """A position of a stream in so many shards, as a position of this one.

        Raises:
            StateMismatchError: it lies within an epoch, where rounds of other shards do not agree.
        """
        own = self.options.shard[1]
        if shards == own:
            return position
        whole = math.ceil(len(self._source) / self._batch_size)
        epoch, batch = divmod(position, max(1, whole // shards))
        if batch:
            raise StateMismatchError(
                f"The state is that of batch {batch} of an epoch in {shards} shards; with {own} the "
                "stream can only go on from an epoch's start."
            )
        return epoch * len(self)

    def _checked(self, value: int) -> int:
        samples, shards = len(self._source), self.options.shard[1]
        size = check_batch_size(value, samples)
        batches = math.ceil(samples / size)
        if shards > 1 and batches < shards:  # alone, an empty data set has epochs of no batches
            raise InvalidArgumentError(
                f"An epoch of {samples} samples in batches of {size} has {batches} batches, too few "
                f"for {shards} shards: pass a smaller `batch_size`."
            )
        return size
