"""Names the sample in what functions of the user log, and warn of.

While a pipeline runs them, records of loggers end with the file that the function works on. So do
warnings, where this process shows them. Their filters still see the text as it was.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

from imageloom._locks import Lock

__all__ = ["current_place", "naming_in_logs", "naming_in_warnings", "working_at"]

Place = Callable[[], str]
_place: ContextVar[Place | None] = ContextVar("imageloom.place", default=None)


def current_place() -> str:
    """The sample that a function of the user works on in this thread, in words; "" for none."""
    place = _place.get()
    return "" if place is None else place()


@contextmanager
def working_at(place: Place) -> Iterator[None]:
    """Says where the work is: `place` returns it in words."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


class _Installed:
    """A function of the whole process that another one stands for, as long as anybody needs it."""

    def __init__(
        self, get: Callable[[], Any], put: Callable[[Any], None], own: Callable[..., Any]
    ) -> None:
        """Puts nothing there yet; `own` is called with the other function before its arguments."""
        self._get, self._put, self._own = get, put, own
        self._lock = Lock()
        self._users = 0
        self._before: Any = None
        self._function: Callable[..., Any] | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._before = self._get()
                self._function = self._over(self._before)
                self._put(self._function)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                function, self._function = self._function, None
                if self._get() is function:  # nobody has put another one there
                    self._put(self._before)

    def _over(self, before: Callable[..., Any]) -> Callable[..., Any]:
        """A new function each time: another library may have kept the last one, and call it."""

        def function(*arguments: Any, **more: Any) -> Any:
            if self._function is function:
                return self._own(before, *arguments, **more)
            return before(*arguments, **more)

        return function


def _named_record(
    before: Callable[..., logging.LogRecord], *arguments: Any, **more: Any
) -> logging.LogRecord:
    record = before(*arguments, **more)
    place = current_place()
    if place and isinstance(record.msg, str):
        addition = f" [imageloom: {place}]"
        record.msg += addition.replace("%", "%%") if record.args else addition
    return record


def _show_named(
    before: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    *place: Any,
    **more: Any,
) -> None:
    if isinstance(message, Warning):
        message = _named(message, current_place())
    before(message, category, *place, **more)


def _named(message: Warning, place: str) -> Warning:
    """The warning with the place behind its text; itself if its class makes its text otherwise."""
    if place and message.args and str(message) == message.args[0]:
        with suppress(Exception):
            named = copy.copy(message)
            named.args = (f"{message.args[0]} [imageloom: {place}]", *message.args[1:])
            return named
    return message


def _put_show(function: Callable[..., None]) -> None:
    warnings.showwarning = function


naming_in_logs: Final = _Installed(
    logging.getLogRecordFactory, logging.setLogRecordFactory, _named_record
)
naming_in_warnings: Final = _Installed(lambda: warnings.showwarning, _put_show, _show_named)
