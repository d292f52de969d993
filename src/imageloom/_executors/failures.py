"""How an exception travels from a worker to where its batch is waited for."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import cloudpickle

from imageloom._errors import WorkerError
from imageloom._executors.failed import Failed

__all__ = ["as_message", "revived"]


def as_message(error: BaseException) -> Failed:
    """The exception being handled, for the other side; its type need not survive the journey."""
    return Failed(
        _pickled(error),
        "".join(traceback.format_exception_only(error)).strip(),
        traceback.format_exc(),
    )


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
        blob: bytes = cloudpickle.dumps(error)
        copy: Any = pickle.loads(blob)
    except Exception:
        return None
    return blob if type(copy) is type(error) else None
