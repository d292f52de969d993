"""What the parent and a worker say to one another, each a pickled record on their connection."""

from __future__ import annotations

from dataclasses import dataclass

from imageloom._errors import MissingDependencyError
from imageloom._pipeline.layout import BatchLayout
from imageloom._pipeline.recipe import BatchReport, BatchTask

__all__ = ["CannotStart", "CloseChannel", "Compute", "Done", "Failed", "OpenChannel", "Ready"]


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """To the worker: batches of this recipe will follow. The handle of the memory comes right after.

    Attributes:
        recipe: made by cloudpickle, because it carries the user's functions.
        cache_nbytes: size of the memory for kept pixels, whose handle comes next; 0 for none.
    """

    channel: int
    recipe: bytes
    layout: BatchLayout
    nbytes: int
    cache_nbytes: int


@dataclass(frozen=True, slots=True)
class CloseChannel:
    """To the worker: forget a recipe and its memory."""

    channel: int


@dataclass(frozen=True, slots=True)
class Compute:
    """To the worker: compute a batch into a slot."""

    channel: int
    slot: int
    task: BatchTask


@dataclass(frozen=True, slots=True)
class Ready:
    """From the worker: everything is imported."""


@dataclass(frozen=True, slots=True)
class CannotStart:
    """From the worker: a library is missing or broken, as it would be in every other worker."""

    error: MissingDependencyError


@dataclass(frozen=True, slots=True)
class Done:
    """From the worker: the batch is in its slot."""

    report: BatchReport


@dataclass(frozen=True, slots=True)
class Failed:
    """From the worker: an exception left the pipeline.

    Attributes:
        error: the exception, made by cloudpickle, or None where it cannot travel.
        summary: its type and message.
        traceback: as the worker saw it.
    """

    error: bytes | None
    summary: str
    traceback: str
