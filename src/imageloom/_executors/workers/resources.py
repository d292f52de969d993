"""What the parent keeps for one channel to its workers: the recipe and the shared memory."""

from __future__ import annotations

import dataclasses
import itertools

from imageloom._executors.packing import Packed, Places
from imageloom._executors.workers.messages import CloseChannel, Compute, OpenChannel
from imageloom._executors.workers.parcels import Parcel, ParcelStore
from imageloom._executors.workers.shared_memory import Segment, SlotPool
from imageloom._executors.workers.spawning import WorkerProcess
from imageloom._pipeline.cache import CachePlan
from imageloom._pipeline.cache_promises import note_memory
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["ChannelResources"]


class ChannelResources:
    """The recipe and the shared memory of a channel, and the messages that are about them.

    Attributes:
        key: The number of the channel in messages.
        slots: The memory for batches.
        batch_timeout: Seconds after which an unfinished batch is an error; None for no limit.
        workers: How many workers may compute for the channel at the same time.
        closed: Whether the memory has been released.
    """

    _keys = itertools.count()

    def __init__(
        self,
        recipe: Recipe,
        packed: Packed,
        parcels: ParcelStore,
        *,
        in_flight: int,
        kept: int,
        batch_timeout: float | None,
        workers: int,
    ) -> None:
        """Allocates the memory: slots for `in_flight` and `kept` batches, and the cache if any.

        The large parts of the packed recipe become parcels now; what the program writes there later
        does not reach the workers.
        """
        self.key = next(self._keys)
        self.slots = SlotPool(recipe.layout, in_flight, kept)
        self.batch_timeout = batch_timeout
        self.workers = workers
        self.closed = False
        self._recipe = packed.packing
        self._store = parcels
        self._parcels: tuple[Parcel, ...] = ()
        self._places: Places = ()
        self._cache_memory: Segment | None = None
        self._rows = recipe.rows
        try:
            if packed.large:
                self._parcels, self._places = parcels.place(packed.large)
            self._allocate_cache(recipe.cache)
        except BaseException:
            self.close()
            raise

    def _allocate_cache(self, plan: CachePlan | None) -> None:
        if plan is None or plan.path is not None or plan.rows == 0:
            return
        self._cache_memory = Segment(plan.nbytes)
        if self._cache_memory.memory is not None:
            note_memory(plan, self._cache_memory.memory)

    def send_to(self, process: WorkerProcess) -> None:
        """Sends a worker the recipe and access to the memory."""
        segments = [self.slots.segment]
        if self._cache_memory is not None:
            segments.append(self._cache_memory)
        parcels = [parcel.segment for parcel in self._parcels]
        message = OpenChannel(
            self.key,
            self._recipe,
            self._places,
            self.slots.layout,
            tuple(segment.ticket for segment in segments),
            tuple(dataclasses.replace(segment.ticket, private=True) for segment in parcels),
        )
        process.line.send(message, [fd for one in (*segments, *parcels) for fd in one.descriptors])

    def copy_rows(self, slot: int, task: BatchTask) -> None:
        """Copies the input rows of a task, if it has any, into a slot.

        Raises:
            ImageLoomError: They cannot be read.
        """
        raw = self.slots.raw_rows(slot, len(task))
        if raw is not None:
            assert self._rows is not None
            self._rows.copy_rows(task.spec.indices, raw)

    def send_task(self, process: WorkerProcess, slot: int, task: BatchTask) -> None:
        """Sends a worker a task, whose input rows are in the slot."""
        self.slots.set_progress(slot, -1)
        process.line.send(Compute(self.key, slot, task))

    def send_close(self, process: WorkerProcess) -> None:
        """Tells a worker to forget the recipe and the memory."""
        process.line.send(CloseChannel(self.key))

    def close(self) -> None:
        """Releases the memory; arrays that the user still holds keep their part alive."""
        self.closed = True
        parcels, self._parcels = self._parcels, ()
        self._store.linger(parcels)
        self.slots.close()
        if self._cache_memory is not None:
            self._cache_memory.close()
