"""Waits for many things at the same time: for what can be read from, and for room to write."""

from __future__ import annotations

import math
import select
import sys
from collections.abc import Collection, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from socket import socket
from typing import Final

__all__ = ["Waitable", "ring", "wait"]

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


def ring(alarm: Connection) -> bool:
    """Wakes who waits for the other end of a pipe; returns whether that has succeeded.

    A full pipe wakes, too. The garbage collector may have closed it already.
    """
    for _ in range(_TRIES):
        try:
            alarm.send_bytes(b"!")
        except BlockingIOError:
            return True
        except OSError:
            continue
        return True
    return False
