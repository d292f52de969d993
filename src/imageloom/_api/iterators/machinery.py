"""What an iterator consists of, and how it changes when a program assigns its attributes.

::

    plan     the data set and the checked arguments: the recipe of batches
    order    the samples of each position
    stream   the position, and the batches from the workers

A user's class may override the methods that Keras' iterators have. The method that computes a batch
runs in the workers then, on a twin of the iterator (see `_pipeline.batch_method`).
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.keras import KerasSurface
from imageloom._adapters.moving import Mover
from imageloom._api.finishing import unfinished
from imageloom._api.iterators.attributes import Number, Order
from imageloom._api.iterators.inline import InlineBatches
from imageloom._api.iterators.origins import Made
from imageloom._api.iterators.plans import IteratorPlan
from imageloom._api.iterators.twins import parts_of
from imageloom._api.planning import FrozenGenerator, PlanningGenerator
from imageloom._errors import ArgumentTypeError
from imageloom._executors.base import Channel
from imageloom._imaging.normalise import warn_if_unfitted
from imageloom._pipeline.batch_method import BATCH_METHOD, BatchMethod, current_call
from imageloom._pipeline.hearing import program_hearing
from imageloom._pipeline.recipe import UserCode
from imageloom._stream.access import StreamAccess
from imageloom._stream.lanes import Lane
from imageloom._stream.observing import observers
from imageloom._stream.order import OrderOptions, SamplesChangedError, StreamOrder
from imageloom._stream.supply import BatchSupply
from imageloom._warnings import warn_user

__all__ = ["IteratorMachinery", "is_users", "overrides"]

_PACKAGE: Final = __name__.partition(".")[0]
_WITHIN: Final = f"{_PACKAGE}."


@dataclass(slots=True)
class _Drawing:
    """What a user's `_set_index_array` has assigned so far, while it runs for an epoch."""

    order: NDArray[np.int64] | None = None
    samples: int | None = None


_drawing: ContextVar[_Drawing | None] = ContextVar("imageloom.drawing", default=None)


def overrides(kind: type, name: str) -> bool:
    """Whether a method of an iterator's class is not one of this library."""
    return is_users(getattr(kind, name, None))


def is_users(function: Any) -> bool:
    """Whether a function is not one of this library."""
    module = str(getattr(function, "__module__", ""))
    return not module.startswith(_WITHIN) and module != _PACKAGE


class IteratorMachinery(KerasSurface):
    """The parts of an iterator, and the attributes that its order depends on."""

    __slots__ = (
        "_assignments_seen",
        "_data_fingerprint",
        "_inline",
        "_made",
        "_movers",
        "_order",
        "_own_generator",
        "_plan",
        "_stream",
    )

    _made: Made
    _plan: IteratorPlan
    _order: StreamOrder
    _stream: StreamAccess
    _assignments_seen: int | None  # to the generator, by the batches in work
    _inline: InlineBatches | None
    _own_generator: Any
    _data_fingerprint: dict[str, Any] | None
    _movers: dict[Any, Mover]  # by the places that they move to
    lock: Any

    n: Number = Number(lambda it: it._samples(), lambda it, n: it._set_samples(n))
    batch_size: Number = Number(
        lambda it: it._order.batch_size, lambda it, size: it._set_batch_size(size), least=-1
    )
    shuffle: Order[bool | str] = Order()
    seed: Order[int | None] = Order()
    batch_index: Number = Number(
        lambda it: it._place()[0], lambda it, index: it._stream.assign_batch_index(index)
    )
    total_batches_seen: Number = Number(
        lambda it: it._place()[1], lambda it, seen: it._stream.assign_seen(seen)
    )

    def _begin(self, plan: IteratorPlan, order: OrderOptions) -> None:
        """Checks the batch size; starts nothing.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a batch size that is below 1 (except -1, all
                samples) or leaves a shard without a batch; `balance` without one class per sample.
        """
        stream_order = StreamOrder(plan.source, plan.settings.batch_size, order)
        # Past `__setattr__`, which is for what programs assign, and takes longer than the rest of this.
        assign = object.__setattr__
        assign(self, "_plan", plan)
        assign(self, "_order", stream_order)
        assign(self, "_inline", None)
        assign(self, "_own_generator", None)
        assign(self, "_assignments_seen", None)
        assign(self, "_data_fingerprint", None)
        assign(self, "_movers", {})
        # What the stream calls holds no reference to the iterator, which could then never be
        # collected.
        this = weakref.ref(self)
        if overrides(type(self), "_set_index_array"):
            stream_order.draw_order = partial(_drawn_order, this)
        stream = StreamAccess(plan.source, stream_order, partial(_opened, this))
        assign(self, "_stream", stream)
        assign(self, "lock", stream.lock)
        for name in tuple(vars(self)):
            if hasattr(getattr(type(self), name, None), "__set__"):
                del vars(self)[name]  # a subclass has assigned it before
        for observer in observers:
            observer.made(self)
        for mistake in plan.source.mistakes:
            warn_user(mistake.text, code=mistake.code)

    @property
    def _has_begun(self) -> bool:
        """Whether there is a data set already; a subclass may assign attributes before."""
        return hasattr(self, "_plan")

    @property
    def _attached(self) -> bool:
        """Whether this is the iterator itself, and not its twin in a worker."""
        return hasattr(self, "_stream")

    # Changes

    def __setattr__(self, name: str, value: Any) -> None:
        """Assigns an attribute; a user's batch method sees the new value from the next batch on."""
        super().__setattr__(name, value)
        if name in vars(self) and self._attached and self._has_batch_method:
            self._stream.restart()

    def _data_changed(self) -> None:
        self._fingerprint_changed()
        if self._attached:
            if not self._has_batch_method:
                self._stream.relabel()
            else:
                self._recipe_changed()

    def _recipe_changed(self) -> None:
        self._fingerprint_changed()
        self._inline = self._assignments_seen = None
        if self._attached:
            self._stream.restart()

    def _fingerprint_changed(self) -> None:
        self._data_fingerprint = None

    def _set_settings(self, values: Mapping[str, Any]) -> None:
        self._plan = self._plan.with_settings(values)
        self._recipe_changed()

    def _samples(self) -> int:
        drawing = _drawing.get()
        drawn = None if drawing is None else drawing.samples
        return self._order.samples if drawn is None else drawn

    def _set_samples(self, samples: int) -> None:
        drawing = _drawing.get()
        if drawing is not None:
            drawing.samples = samples
            return
        self._stream.rearrange(lambda order: order.set_samples(samples))
        self._fingerprint_changed()

    def _set_batch_size(self, size: int) -> None:
        self._stream.rearrange(lambda order: order.set_batch_size(size))
        self._recipe_changed()

    def _place(self) -> tuple[int, int]:
        """The values of `batch_index` and `total_batches_seen`."""
        if self._attached:
            return self._stream.batch_index, self._stream.seen
        call = current_call.get()
        if call is None:
            return 0, 0
        return (call.index + 1) % max(1, len(self._order)), (call.seed - self._order.seed) % 2**32 + 1

    def _lane_to_devices(self) -> Lane | None:
        """The lane of batches that devices finish; None if the workers do."""
        if getattr(self._generator, "finish", "host") != "device" or self._makes_batches:
            return None
        return self._stream.unfinished(partial(_opened_unfinished, weakref.ref(self)))

    # The order of the samples

    @property
    def index_array(self) -> NDArray[np.int64] | None:
        """Sample numbers of all shards, in the order of the epoch that the last batch belongs to.

        None before the first batch. Assigning it gives the epoch another order, of any length and
        with any repetitions; as in Keras, `next` draws a new order at the start of each epoch.
        """
        drawing = _drawing.get()
        if drawing is not None:
            return drawing.order
        return self._stream.index_array if self._attached else None

    @index_array.setter
    def index_array(self, value: NDArray[np.int64] | None) -> None:
        drawing = _drawing.get()
        order = None if value is None else np.asarray(value)
        if drawing is not None:
            drawing.order = order
        elif self._has_begun:
            self._stream.assign_order(order)

    def _set_index_array(self) -> None:
        """Sets the order of an epoch, with NumPy's global generator; a subclass may override it."""
        order = np.arange(self.n)
        self.index_array = np.random.permutation(self.n) if self.shuffle else order

    def _refresh(self) -> None:
        """Called before each request; classes of files read the user's properties here."""
        self._follow_generator()

    def _follow_generator(self) -> None:
        """Begins anew if an attribute of the generator was assigned, which Keras looks at each time."""
        seen = self._assignments_seen if self._attached else None
        if seen is not None and seen != self._generator._assignments:
            self._recipe_changed()

    # The user's classes

    @property
    def _has_batch_method(self) -> bool:
        """Whether the user's class, or the user's program, computes batches."""
        return BATCH_METHOD in vars(self) or overrides(type(self), BATCH_METHOD)

    @property
    def _makes_batches(self) -> bool:
        """Whether one call of the user's code computes a whole batch."""
        function = getattr(self._generator, "get_batch_function", None)
        return self._has_batch_method or function is not None

    def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
        """Computes the batch of some samples here and now, with NumPy's global generator."""
        self._follow_generator()
        return self._inline_batches()(index_array)

    def _inline_batches(self) -> InlineBatches:
        if self._inline is None:
            frozen = self._frozen().without_cache()
            recipe = self._plan.recipe(frozen, self._order.batch_size)
            warn_if_unfitted(recipe.standardize)
            self._inline = InlineBatches(recipe, self._plan.source)
        return self._inline

    @property
    def _generator(self) -> PlanningGenerator:
        """The generator whose workers compute the batches; a plain one if the iterator has none."""
        generator: Any = getattr(self, "image_data_generator", None)
        if hasattr(generator, "_open_channel"):
            found: PlanningGenerator = generator
            return found
        if self._own_generator is None:
            from imageloom._api.generator import ImageDataGenerator  # which imports this module

            self._own_generator = ImageDataGenerator()
        own: PlanningGenerator = self._own_generator
        return own

    def _frozen(self) -> FrozenGenerator:
        """The generator's present state, with which batches are computed until it is changed."""
        self._assignments_seen = self._generator._assignments
        return self._generator._freeze()

    def _open_channel(self) -> Channel:
        """Freezes the generator's options, and opens a channel to its workers."""
        generator = self._generator
        frozen = self._frozen()
        if not self._has_batch_method:
            recipe = self._plan.recipe(frozen, self._order.batch_size)
        else:
            inner = self._plan.recipe(frozen.without_cache(), self._order.batch_size)
            twin = self._twin(InlineBatches(inner, self._plan.source))
            method = BatchMethod(twin, partial(parts_of, frozen.generator))
            recipe = dataclasses.replace(
                inner,
                rows=None,
                hearing=program_hearing(),
                layout=dataclasses.replace(inner.layout, raw_shape=None),
                user_code=UserCode(batch_method=method),
                report=dataclasses.replace(
                    inner.report, all_bad_samples=False, advises_replacing=False
                ),
            )
        return generator._open_channel(frozen, self._plan.source, recipe)

    def _open_unfinished(self, supply: BatchSupply) -> Channel:
        """Opens a channel for batches that a device finishes, and tells `supply` how."""
        generator = self._generator
        frozen = self._frozen()
        recipe, steps = unfinished(self._plan.recipe(frozen, self._order.batch_size))
        channel = generator._open_channel(frozen, self._plan.source, recipe)
        supply.steps = steps
        return channel

    def _twin(self, inline: InlineBatches) -> IteratorMachinery:
        """An object with the same attributes, which has no workers. What it assigns, this one has."""
        twin: IteratorMachinery = object.__new__(type(self))
        twin.__dict__ = self.__dict__
        twin._plan, twin._order, twin._inline = self._plan, self._order, inline
        twin._own_generator = self._own_generator
        return twin


def _opened(this: weakref.ref[IteratorMachinery]) -> Channel:
    iterator = this()
    assert iterator is not None, "its method is running"
    return iterator._open_channel()


def _opened_unfinished(this: weakref.ref[IteratorMachinery], supply: BatchSupply) -> Channel:
    iterator = this()
    assert iterator is not None, "its method is running"
    return iterator._open_unfinished(supply)


def _drawn_order(this: weakref.ref[IteratorMachinery]) -> NDArray[np.int64]:
    """Calls `_set_index_array` of a user's class; returns the order that it has assigned."""
    iterator = this()
    assert iterator is not None, "its method is running"
    drawing = _Drawing()
    token = _drawing.set(drawing)
    try:
        iterator._set_index_array()
    finally:
        _drawing.reset(token)
    if drawing.samples not in (None, iterator._order.samples):
        raise SamplesChangedError(drawing.samples)
    if drawing.order is None:
        raise ArgumentTypeError(
            f"`_set_index_array` of {type(iterator).__name__} has not assigned `index_array`."
        )
    return drawing.order
