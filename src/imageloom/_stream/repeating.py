"""Repeats in the program what functions of the user have said in another process.

Records go to the program's loggers, and warnings through its filters, as if the function had run here:
with its own file and line, and once for each location where the filters say so.
"""

from __future__ import annotations

import logging
import pickle
import sys
import warnings
from typing import Any, Final

from imageloom._executors.failures import said_before
from imageloom._pipeline.naming import naming_in_warnings, working_at
from imageloom._pipeline.said import Said, SaidRecord, SaidWarning

__all__ = ["repeat", "repeat_before"]

# What was warned of already at the lines of files whose module is not loaded here.
_registries: Final[dict[str, dict[Any, Any]]] = {}


def repeat(said: Said) -> None:
    """Repeats what was said, in its order.

    Raises:
        Warning: the filters make a warning an error.
    """
    for item in said:
        if isinstance(item, SaidRecord):
            _log(item)
        else:
            _warn(item)


def repeat_before(error: Exception) -> None:
    """Repeats what was said before an error in another process ended the batch."""
    repeat(said_before(error))


def _log(said: SaidRecord) -> None:
    record = logging.makeLogRecord(dict(said.attributes))
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


def _warn(said: SaidWarning) -> None:
    message = _message(said)
    try:
        with working_at(lambda: said.place), naming_in_warnings:
            warnings.warn_explicit(
                message,
                type(message),
                said.filename,
                said.lineno,
                module=said.module,
                registry=_registry(said),
            )
    except Warning as error:
        if said.place:
            error.add_note(f"imageloom: {said.place}")
        raise


def _message(said: SaidWarning) -> Warning:
    if said.message is not None:
        try:
            message: Warning = pickle.loads(said.message)
        except Exception:  # its class does what the user has written
            return UserWarning(said.text)
        return message
    return UserWarning(said.text)


def _registry(said: SaidWarning) -> dict[Any, Any]:
    """What Python notes there for each location; the same as if the function had run here."""
    module = sys.modules.get(said.module or "")
    if module is None:
        return _registries.setdefault(said.filename, {})
    registry: dict[Any, Any] = vars(module).setdefault("__warningregistry__", {})
    return registry
