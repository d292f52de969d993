"""The record of an exception that left the pipeline in another process (see `failures`)."""

from __future__ import annotations

from dataclasses import dataclass

from imageloom._pipeline.said import Said

__all__ = ["Failed"]


@dataclass(frozen=True, slots=True)
class Failed:
    """Tells the process that waits for a batch why there will be none.

    Attributes:
        error: The exception, made by cloudpickle, or None if it cannot be pickled.
        summary: The type and message of the exception.
        traceback: The traceback as the worker saw it.
        received: Whether the recipe had arrived; False if it could not be unpickled.
        said: What functions of the user had said before.
    """

    error: bytes | None
    summary: str
    traceback: str
    received: bool = True
    said: Said = ()
