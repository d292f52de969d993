"""`Iterator`: the base class of Keras' iterators, for classes of the user that compute batches."""

from __future__ import annotations

from collections.abc import Iterator as AnyIterator
from contextvars import ContextVar
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imageloom._addresses import with_address
from imageloom._api.iterators.base import BatchIterator
from imageloom._api.iterators.machinery import overrides
from imageloom._api.iterators.plans import BarePlan
from imageloom._api.planning import OutputSettings
from imageloom._checks.keywords import explained
from imageloom._executors.base import Channel
from imageloom._public import public
from imageloom._sources.bare import BareSource
from imageloom._sources.listing import WHITE_LIST_FORMATS
from imageloom._stream.order import OrderOptions
from imageloom._stream.supply import BatchT_co

__all__ = ["Iterator"]

# Whether a `next` of the user's class is running, which may call `__next__`.
_in_next: ContextVar[bool] = ContextVar("imageloom.in_next", default=False)


@public
class Iterator(BatchIterator[BatchT_co]):
    """The base class of Keras' iterators, which a program may derive classes from.

    A subclass has a method `_get_batches_of_transformed_samples(index_array)`, which returns the
    batch of some sample numbers. It is called in the workers, if the object can travel there, else in
    threads. NumPy's global generator then has the state that Keras gives it. A subclass may also
    override `_set_index_array`, which assigns `index_array` at the start of each epoch, or
    `_flow_index`, a generator of index arrays.

    An attribute `image_data_generator` says with which executor and how many workers, if it is a
    generator of this library.

    Args:
        n: number of samples.
        batch_size: number of samples in a batch; -1 for all.
        shuffle: draw a new order every epoch.
        seed: 0..2**32-1, for the same order and random numbers as Keras with this seed. For None, the
            first batch draws a seed from NumPy's global state.
        **kwargs: arguments of Keras' `PyDataset`: `workers`, `max_queue_size` and
            `use_multiprocessing`.

    Attributes:
        white_list_formats: suffixes of the files that are read as images.
    """

    __slots__ = ("_assigned_generator", "_index_generator")

    white_list_formats: ClassVar[tuple[str, ...]] = WHITE_LIST_FORMATS

    @explained("Iterator", also=("workers", "max_queue_size", "use_multiprocessing"))
    def __init__(
        self, n: int, batch_size: int, shuffle: bool | str, seed: int | None, **kwargs: Any
    ) -> None:
        settings = OutputSettings(
            batch_size=batch_size,
            data_format="channels_last",
            dtype="float32",
            subset=None,
            save_to_dir=None,
            save_prefix="",
            save_format="png",
        )
        self._begin(BarePlan(BareSource(n), settings), OrderOptions(shuffle=shuffle, seed=seed))
        for name, value in kwargs.items():
            setattr(self, name, value)

    @property
    def index_generator(self) -> AnyIterator[NDArray[np.int64]]:
        """The sample numbers of the next batches; `next(it.index_generator)` moves the position.

        As in Keras, it seeds NumPy's global generator for the batch. `next(it)` uses another one
        that is assigned, and computes its batches in the calling thread.
        """
        generator: AnyIterator[NDArray[np.int64]] | None = getattr(self, "_index_generator", None)
        if generator is None:
            own = overrides(type(self), "_flow_index")
            self._index_generator = generator = self._flow_index() if own else self._steps()
        return generator

    @index_generator.setter
    def index_generator(self, generator: AnyIterator[NDArray[np.int64]]) -> None:
        self._index_generator, self._assigned_generator = generator, True

    def _flow_index(self) -> AnyIterator[NDArray[np.int64]]:
        """Yields the sample numbers of each batch, from the start of an epoch on."""
        self.batch_index = 0
        yield from self._steps()

    def _steps(self) -> AnyIterator[NDArray[np.int64]]:
        while True:
            spec = self._stream.take()
            if self.seed is not None:
                np.random.set_state(spec.random_state().get_state(legacy=False))
            yield spec.indices

    def __next__(self) -> BatchT_co:
        """Returns the next batch of the stream.

        Raises:
            IteratorClosedError: the iterator was closed.
            Exception: the error of a hook or a file of this batch; the next call continues after
                it.
        """
        if overrides(type(self), "next") and not _in_next.get():  # as Keras 2 does it
            token = _in_next.set(True)
            try:
                return self.next()
            finally:
                _in_next.reset(token)
        assigned = getattr(self, "_assigned_generator", False)
        if not assigned and not overrides(type(self), "_flow_index"):
            return super().__next__()
        with self.lock:
            index_array = next(self.index_generator)
        batch: BatchT_co = self._get_batches_of_transformed_samples(index_array)
        return batch

    def _open_channel(self) -> Channel:
        if not self._has_batch_method and isinstance(self._plan, BarePlan):
            self._get_batches_of_transformed_samples(())
        return super()._open_channel()

    def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
        """Computes the batch of some samples here and now, with NumPy's global generator.

        Raises:
            NotImplementedError: the class has no such method of its own.
        """
        if isinstance(self._plan, BarePlan):
            raise with_address(
                NotImplementedError(
                    f"{type(self).__name__} needs a method `_get_batches_of_transformed_samples"
                    "(self, index_array)`, which returns the batch of these samples."
                )
            )
        return super()._get_batches_of_transformed_samples(index_array)
