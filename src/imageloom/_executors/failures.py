"""How an exception travels from a worker to where its batch is waited for.

If a recipe cannot be unpickled where it arrives, the exception has a `NotReceived` as its cause, and
its batch may be computed elsewhere (see `fallback`).
"""

from __future__ import annotations

import dataclasses
import pickle
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

from imageloom._errors import WorkerError
from imageloom._executors.failed import Failed
from imageloom._executors.inside import receiving
from imageloom._executors.packing import Packing, unpacked
from imageloom._executors.portable import returning
from imageloom._executors.state.takeover import take_over
from imageloom._pipeline.said import Said

__all__ = ["NotReceived", "as_message", "received", "revived", "said_before", "was_not_received"]

_SAID = "_imageloom_said"


class NotReceived(WorkerError):
    """Describes why a recipe could not be unpickled in another process."""


def received(packing: Packing, large: Sequence[memoryview]) -> Any:
    """The recipe that another process has sent, and the memory of its large parts.

    Raises:
        NotReceived: it cannot be unpickled, for the reason that is the cause of this.
    """
    try:
        knowledge = None if packing.before is None else unpacked(packing.before, large)
        if knowledge is not None:
            take_over(knowledge)
        with receiving(), warnings.catch_warnings():
            # What modules warn of when they are imported, the program has seen already.
            warnings.simplefilter("ignore")
            recipe = unpacked(packing, large)
        return dataclasses.replace(recipe, program=knowledge)
    except BaseException as error:  # the user's own classes may raise anything
        raise NotReceived("The recipe cannot be unpickled.") from error


def was_not_received(error: BaseException) -> bool:
    """Whether a worker has failed before it could call any function of the user."""
    return isinstance(error, NotReceived) or isinstance(error.__cause__, NotReceived)


def as_message(error: BaseException, said: Said = ()) -> Failed:
    """The exception being handled, for the other side; its type need not survive the journey.

    `said` is what functions of the user have said before.
    """
    arrived = not isinstance(error, NotReceived)
    if not arrived and error.__cause__ is not None:
        error = error.__cause__
    try:
        summary = "".join(traceback.format_exception_only(error)).strip()
        told = "".join(traceback.format_exception(error))
    except Exception as another:  # Python cannot print, say, a SyntaxError with a line that is no text
        summary = f"{type(error).__name__} (which cannot be printed: {another})"
        told = "".join([*traceback.format_tb(error.__traceback__), summary])
    return Failed(_pickled(error), summary, told, arrived, said)


def said_before(error: Exception) -> Said:
    """What functions had said in a worker before this exception left it; nothing the second time."""
    said: Said = vars(error).pop(_SAID, ())
    return said


def revived(message: Failed) -> Exception:
    """The exception to raise here for one that left a worker."""
    error = _unpickled(message)
    if message.said:
        vars(error)[_SAID] = message.said
    return error


def _unpickled(message: Failed) -> Exception:
    kind = WorkerError if message.received else NotReceived
    cause = kind(f"In a worker process: {message.summary}", message.traceback)
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
