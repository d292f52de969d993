"""Waits for many things at the same time: for what can be read from, and for room to write."""

from __future__ import annotations

import selectors
import sys
from collections.abc import Collection, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from socket import socket
from typing import Final

__all__ = ["Waitable", "wait"]

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
