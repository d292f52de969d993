"""Which batches an iterator has, in which order, and where it stands: what a state tells."""

from __future__ import annotations

import dataclasses
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._checks import check_batch_size
from imageloom._errors import InvalidArgumentError, StateMismatchError
from imageloom._sources.base import SampleSource
from imageloom._stream.order import OrderOptions, Sampler
from imageloom._stream.state import checked_state, make_state, plain

__all__ = ["IteratorOrder"]


class IteratorOrder(ABC):
    """A place in the stream of batches of a data set.

    Attributes:
        seed: as given; None means that one was drawn from NumPy's global state at the first batch.
        lock: held while the position moves.
    """

    def __init__(self, source: SampleSource, batch_size: int, order: OrderOptions) -> None:
        """At the start of the first epoch.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a batch size below 1 (-1: all samples), or one that
                leaves shards without a batch; a balanced order of samples without one class each.
        """
        self._source = source
        self.seed: int | None = order.seed
        self._base_seed = self.seed
        self._options = order
        self._balanced_classes = source.class_numbers("balance=True") if order.balance else None
        self._batch_size = self._checked_batch_size(batch_size)
        self.lock: threading.RLock = threading.RLock()
        self._position = 0
        self._pass_start = 0  # where it[0] is: an epoch's first batch, but for resumed passes
        self._sampler: Sampler | None = None
        self._data_fingerprint: dict[str, Any] | None = None

    @abstractmethod
    def _start_over(self) -> None:
        """Drops what was prepared; the next request builds it anew for what has changed."""

    @property
    def source(self) -> SampleSource:
        """The table of samples."""
        return self._source

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self._source)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self._source)

    @property
    def sample_count(self) -> int:
        """Number of samples."""
        return len(self._source)

    @property
    def batch_size(self) -> int:
        """Samples in a batch; the last one of an epoch may be short.

        Assigning it goes to the start of the epoch and drops what was prefetched.
        """
        return self._batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        with self.lock:
            epoch = self._epoch
            self._batch_size = self._checked_batch_size(value)
            self._position = self._pass_start = epoch * len(self)
            self._start_over()

    def _checked_batch_size(self, value: int) -> int:
        size = check_batch_size(value, self.n)
        batches, shards = math.ceil(self.n / size), self._options.shard[1]
        if shards > 1 and batches < shards:  # alone, an empty data set has epochs of no batches
            raise InvalidArgumentError(
                f"An epoch of {self.n} samples in batches of {size} has {batches} batches, too few for "
                f"{shards} shards: pass a smaller `batch_size`."
            )
        return size

    @property
    def shuffle(self) -> bool | str:
        """Whether every epoch has an order of its own. Assigning it drops what was prefetched."""
        return self._options.shuffle

    @shuffle.setter
    def shuffle(self, value: bool | str) -> None:
        with self.lock:
            self._options = dataclasses.replace(self._options, shuffle=value)
            self._start_over()

    @property
    def shard(self) -> tuple[int, int]:
        """Which part of the stream this is, as (index, count); (0, 1) is the whole."""
        return self._options.shard

    @property
    def balance(self) -> bool:
        """Whether epochs draw all classes equally often."""
        return self._balanced_classes is not None

    @property
    def total_batches_seen(self) -> int:
        """How many batches of the stream come before the one that `next` will give."""
        return self._position

    @property
    def batch_index(self) -> int:
        """Number, within its epoch, of the batch that `next` will give."""
        return self._position % max(1, len(self))

    @property
    def index_array(self) -> NDArray[np.int64]:
        """Sample numbers in the order of the current epoch, of all shards."""
        with self.lock:
            return self._sampler_now().order(self._epoch)

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return len(self)

    def __len__(self) -> int:
        """Batches in an epoch, of this shard."""
        return math.ceil(self.n / self._batch_size) // self._options.shard[1]

    @property
    def _epoch(self) -> int:
        return self._position // max(1, len(self))

    def _sampler_now(self) -> Sampler:
        if self._sampler is None:
            if self._base_seed is None:
                self._base_seed = int(np.random.randint(0, 2**32, dtype=np.uint32))
            self._sampler = Sampler(
                self.n,
                self._batch_size,
                shuffle=self.shuffle,
                seed=self._base_seed,
                class_numbers=self._balanced_classes,
                shard=self.shard,
            )
        return self._sampler

    # Resuming

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as plain JSON: `load_state_dict` goes on from there.

        Under `next` that is the batch to come; under Keras' `fit`, which asks for batches ahead of
        their use, the start of the pass (see `ResumeCallback` for places within it). The files' sizes
        are looked at once, to tell other data.
        """
        with self.lock:
            self._sampler_now()
            assert self._base_seed is not None
            return make_state(self._position, self._base_seed, self.shard[1], self._fingerprint())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes to where another iterator over the same data, with the same arguments, stood.

        Neither executor nor number of workers need be the same. If the iterator has no seed it takes
        over the state's. A pass under Keras' protocol then begins with the batch that was to come,
        though that may be in the middle of an epoch. Any shard's state is every shard's; the number of
        shards may be another one if the state is that of an epoch's start.

        Raises:
            StateMismatchError: other data, other arguments, another seed, or a newer version; it says
                what differs.
            InvalidArgumentError, ArgumentTypeError: something else than a state.
        """
        with self.lock:
            position, seed, shards = checked_state(state, self._fingerprint())
            position = self._as_own_position(position, shards)
            if self.seed is not None and seed != self.seed:
                raise StateMismatchError(
                    f"The state was made with seed {seed}, and this iterator has seed {self.seed}. Use "
                    "that seed, or none: then the state's is taken over."
                )
            self._base_seed = seed
            self._start_over()
            self._position = self._pass_start = position

    def _as_own_position(self, position: int, shards: int) -> int:
        if shards == self.shard[1]:
            return position
        epoch, batch = divmod(position, max(1, math.ceil(self.n / self._batch_size) // shards))
        if batch:
            raise StateMismatchError(
                f"The state is that of batch {batch} of an epoch in {shards} shards; with "
                f"{self.shard[1]} the stream can only go on from an epoch's start."
            )
        return epoch * len(self)

    def _fingerprint(self) -> dict[str, Any]:
        if self._data_fingerprint is None:
            self._data_fingerprint = plain(self._source.fingerprint())
        return {
            **self._data_fingerprint,
            "batch_size": self._batch_size,
            "shuffle": self.shuffle,
            "balance": self.balance,
            **plain(self._arguments()),
        }

    @abstractmethod
    def _arguments(self) -> dict[str, Any]:
        """Further arguments that decide about values."""
