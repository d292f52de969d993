"""Takes down what the user's functions log and warn of in a worker, for the program to repeat.

The worker's own handlers do not see it, so it appears once. A function that says something for each
pixel floods nothing: so much of a batch is passed on, and the rest is counted.
"""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from imageloom._executors.portable import returning
from imageloom._pipeline.hearing import Hearing, hearing_as
from imageloom._pipeline.naming import current_place
from imageloom._pipeline.recipe import BatchTask
from imageloom._pipeline.said import Said, SaidRecord, SaidWarning

__all__ = ["Listener"]

_MOST: Final = 200  # records and warnings of a batch
_MOST_TEXT: Final = 10_000  # characters of each
_END: Final = 300
_ATOMS: Final = (type(None), bool, int, float, str)
_CLUSTER: Final = "ray"  # whose own threads log in the same process


class Listener:
    """What was said during one batch."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._said: list[SaidRecord | SaidWarning] = []
        self._known: set[tuple[Any, ...]] = set()
        self._left_out = 0
        self._repeats = False

    @contextmanager
    def listening(self, hearing: Hearing | None) -> Iterator[None]:
        """Listens, with the levels and filters of the program; None if no function of the user runs."""
        if hearing is None:
            yield
            return
        self._repeats = hearing.repeats
        to_handlers = logging.Logger.callHandlers

        def take_down(logger: logging.Logger, record: logging.LogRecord) -> None:
            if record.name.partition(".")[0] == _CLUSTER:
                to_handlers(logger, record)
            else:
                self._note_record(record)

        with hearing_as(hearing):
            logging.Logger.callHandlers = take_down  # type: ignore[assignment]
            warnings.showwarning = self._note_warning  # type: ignore[assignment]
            try:
                yield
            finally:
                logging.Logger.callHandlers = to_handlers  # type: ignore[method-assign]

    def said(self, task: BatchTask) -> Said:
        """All that the program should repeat."""
        if not self._left_out:
            return tuple(self._said)
        return (*self._said, SaidRecord(_left_out_in_words(self._left_out, task)))

    def _note_record(self, record: logging.LogRecord) -> None:
        if self._has_room():
            self._said.append(SaidRecord(_attributes(record)))

    def _note_warning(
        self, message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any
    ) -> None:
        text = str(message)
        key = (category, text, filename, lineno)
        if not self._repeats and key in self._known:
            return  # the program shows it once
        self._known.add(key)
        if not self._has_room():
            return
        instance = message if isinstance(message, Warning) else category(message)
        try:
            pickled = returning(instance) if len(text) <= _MOST_TEXT else None
        except Exception:  # it holds something that cannot travel
            pickled = None
        module = _module_at(filename, lineno)
        place = current_place()
        self._said.append(SaidWarning(pickled, _short(text), filename, lineno, module, place))

    def _has_room(self) -> bool:
        room = len(self._said) < _MOST
        self._left_out += not room
        return room


def _attributes(record: logging.LogRecord) -> Mapping[str, Any]:
    """What of a record can travel. Formatters find the exception as text."""
    attributes = {name: value for name, value in vars(record).items() if isinstance(value, _ATOMS)}
    if record.exc_info and not record.exc_text:
        attributes["exc_text"] = logging.Formatter().formatException(record.exc_info)
    attributes["exc_info"] = None
    values = record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    plain = isinstance(record.msg, str) and all(
        isinstance(value, _ATOMS) and len(str(value)) < _MOST_TEXT for value in values
    )
    if plain and len(record.msg) <= _MOST_TEXT:
        return {**attributes, "msg": record.msg, "args": record.args}
    try:
        text = record.getMessage()
    except Exception as error:  # where logging itself would print an error and go on
        text = f"{record.msg!r} ({error})"
    return {**attributes, "msg": _short(text), "args": None}


def _short(text: str) -> str:
    """The text, or its beginning and its end, which names the file."""
    rest = len(text) - _MOST_TEXT - _END
    if rest <= 0:
        return text
    return f"{text[:_MOST_TEXT]} [... {rest} characters left out ...] {text[-_END:]}"


def _module_at(filename: str, lineno: int) -> str | None:
    """The module of a line that is being run; filters may name it."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_filename == filename and frame.f_lineno == lineno:
            return str(frame.f_globals.get("__name__") or "<unknown>")
        frame = frame.f_back
    return None


def _left_out_in_words(number: int, task: BatchTask) -> Mapping[str, Any]:
    text = (
        f"{number} further log records and warnings of functions were left out in the batch at "
        f"position {task.spec.position}; the first {_MOST} of a batch are passed on."
    )
    level = logging.WARNING
    return {"name": "imageloom", "levelno": level, "levelname": "WARNING", "msg": text, "args": None}
