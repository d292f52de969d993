"""Waits for many things at the same time: for what can be read from, and for room to write."""

from __future__ import annotations

import math
import multiprocessing
import os
import select
import sys
from collections.abc import Collection, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from socket import socket
from typing import Final

from imageloom._storage.refusals import close_quietly

__all__ = ["Alarm", "Waitable", "wait"]

_TRIES: Final = 2  # nobody would notice that a single call has failed, and all would wait
# Connections, sockets, and the numbers of descriptors and process handles.
Waitable = Connection | socket | int

if sys.platform == "win32":

    def wait(
        reading: Collection[Waitable], writing: Collection[Waitable], seconds: float | None
    ) -> Sequence[object]:
        """Those that can be read from; there is nothing to write to here (see `message_pipe`)."""
        assert not writing
        return connection.wait(list(reading), seconds)

else:
    # Unlike epoll and kqueue, it takes no descriptor, of which there may be none left. The dispatcher
    # waits once for each batch; to make a selector takes half as long as the rest of its work.

    def wait(
        reading: Collection[Waitable], writing: Collection[Waitable], seconds: float | None
    ) -> Sequence[object]:
        """Those that can be read from, have ended, or have room to write.

        Args:
            reading: What to read from, or whose end to notice.
            writing: What to write to, which is in `reading` as well.
            seconds: How long to wait; None for ever.
        """
        poll = select.poll()
        waiting: dict[int, Waitable] = {}
        for one in reading:
            number = one if isinstance(one, int) else one.fileno()
            if number < 0:
                raise ValueError(f"{one!r} is closed")
            waiting[number] = one
            poll.register(number, select.POLLIN | (select.POLLOUT if one in writing else 0))
        ready = poll.poll(None if seconds is None else math.ceil(1000 * max(0.0, seconds)))
        return [waiting[number] for number, _ in ready]


class Alarm:
    """A pipe that wakes a thread.

    Its ends are closed with the last reference: who is about to ring could write to another file with
    the same number.

    Attributes:
        waitable: What the thread waits for.
    """

    def __init__(self) -> None:
        """Makes the pipe.

        Raises:
            OSError: There are too many open files.
        """
        self._ends: tuple[Connection, ...] = ()
        self.waitable, self._end = self._ends = multiprocessing.Pipe(duplex=False)
        if sys.platform != "win32":
            os.set_blocking(self._end.fileno(), False)  # a full pipe wakes, too

    def ring(self) -> bool:
        """Wakes the thread; returns whether that has succeeded."""
        for _ in range(_TRIES):
            try:
                self._end.send_bytes(b"!")
            except BlockingIOError:
                return True
            except OSError:
                continue
            return True
        return False

    def __del__(self) -> None:
        """Closes the ends; their own finalizers would print what nobody can do anything about."""
        for end in self._ends:
            close_quietly(end)
