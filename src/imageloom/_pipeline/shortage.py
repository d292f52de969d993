"""What is raised where this library's own part of a batch finds no memory.

Functions of the user keep their errors, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imageloom._errors import BatchMemoryError

__all__ = ["memory_told", "no_memory"]


def no_memory(error: MemoryError) -> BatchMemoryError:
    """The error that says which arguments take less memory; one that says so already stays."""
    if isinstance(error, BatchMemoryError):
        return error
    told = BatchMemoryError(
        f"There is not enough memory to compute a batch ({error}). Pass a smaller `batch_size`, "
        "`max_batches_pending` or `cores`."
    )
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told


@contextmanager
def memory_told() -> Iterator[None]:
    """Raises a BatchMemoryError where memory is short."""
    try:
        yield
    except BatchMemoryError:
        raise
    except MemoryError as error:
        raise no_memory(error) from error
