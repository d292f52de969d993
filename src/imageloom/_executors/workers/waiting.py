"""Waits for many things at the same time: for what can be read from, and for room to write."""

from __future__ import annotations

import selectors
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
    # Unlike epoll and kqueue, these take no descriptor, of which there may be none left.
    _Selector: Final = getattr(selectors, "PollSelector", selectors.SelectSelector)

    def wait(
        reading: Collection[Waitable], writing: Collection[Waitable], seconds: float | None
    ) -> Sequence[object]:
        """Those that can be read from, have ended, or have room to write.

        Args:
            reading: What to read from, or whose end to notice.
            writing: What to write to, which is in `reading` as well.
            seconds: How long to wait; None for ever.
        """
        with _Selector() as selector:
            for one in reading:
                writes = selectors.EVENT_WRITE if one in writing else 0
                selector.register(one, selectors.EVENT_READ | writes)
            return [key.fileobj for key, _ in selector.select(seconds)]


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
