"""How an exception travels from a worker to where its batch is waited for."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

from imageloom._errors import WorkerError
from imageloom._executors.failed import Failed
from imageloom._executors.portable import returning

__all__ = ["as_message", "revived"]


def as_message(error: BaseException) -> Failed:
    """The exception being handled, for the other side; its type need not survive the journey."""
    try:
        summary = "".join(traceback.format_exception_only(error)).strip()
        told = traceback.format_exc()
    except Exception as another:  # Python cannot print, say, a SyntaxError with a line that is no text
        summary = f"{type(error).__name__} (which cannot be printed: {another})"
        told = "".join([*traceback.format_tb(error.__traceback__), summary])
    return Failed(_pickled(error), summary, told)


def revived(message: Failed) -> Exception:
    """The exception to raise here for one that left a worker."""
    cause = WorkerError(f"In a worker process: {message.summary}", message.traceback)
    if message.error is None:
        return cause
    try:
        error: Exception = pickle.loads(message.error)
    except Exception:
        return cause
    error.__cause__ = cause
    return error


def _pickled(error: BaseException) -> bytes | None:
    """The exception for the parent to raise, if it survives the journey."""
    if not isinstance(error, Exception):
        return None
    try:
        blob = returning(error)
        copy: Any = pickle.loads(blob)
    except Exception:
        return None
    return blob if type(copy) is type(error) else None
