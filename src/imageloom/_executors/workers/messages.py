"""What the parent and a worker send to one another: pickled records on their connection."""

from __future__ import annotations

from dataclasses import dataclass

from imageloom._errors import MissingDependencyError
from imageloom._executors.failed import Failed
from imageloom._executors.packing import Packing, Places
from imageloom._executors.workers.shared_memory import Ticket
from imageloom._pipeline.layout import BatchLayout
from imageloom._pipeline.recipe import BatchReport, BatchTask
from imageloom._pipeline.records import quickly_pickled

__all__ = [
    "Answer",
    "CannotStart",
    "CloseChannel",
    "Compute",
    "Done",
    "OpenChannel",
    "Ready",
    "Request",
]


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """Tells a worker that batches of a recipe will follow.

    Where memory is opened by a descriptor, those of the channel's and of the cache's memory and of the
    parcels come with this message.

    Attributes:
        channel: The key of the channel.
        recipe: The recipe, made by cloudpickle because it contains the user's functions.
        places: Where its large parts are in the parcels.
        layout: The arrays of a batch in a slot of the memory.
        tickets: What opens the memory, and that of the cache if there is one.
        parcels: What opens the parcels.
    """

    channel: int
    recipe: Packing
    places: Places
    layout: BatchLayout
    tickets: tuple[Ticket, ...]
    parcels: tuple[Ticket, ...]


@dataclass(frozen=True, slots=True)
class CloseChannel:
    """Tells a worker to forget a recipe and its memory."""

    channel: int


@quickly_pickled
@dataclass(frozen=True, slots=True)
class Compute:
    """Tells a worker to compute a batch into a slot."""

    channel: int
    slot: int
    task: BatchTask


@dataclass(frozen=True, slots=True)
class Ready:
    """Tells the parent that a worker has imported everything."""


@dataclass(frozen=True, slots=True)
class CannotStart:
    """Tells the parent that a library is missing or broken, as it would be in every other worker."""

    error: MissingDependencyError


@quickly_pickled
@dataclass(frozen=True, slots=True)
class Done:
    """Tells the parent that a batch is in its slot."""

    report: BatchReport


Request = OpenChannel | CloseChannel | Compute
Answer = Ready | CannotStart | Done | Failed
