"""One end of a connection where sockets do not lead from process to process: on Windows.

A message that was written lies in the pipe as a whole, so taking it never waits. Writing waits until
there is room; so a thread does it, one for each end, which begins with the first message.
"""

from __future__ import annotations

import multiprocessing
import pickle
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final

__all__ = ["MessagePipe", "pair_of_pipes"]

_IN_A_TURN: Final = 64  # messages that are taken before others have their turn


def pair_of_pipes() -> tuple[MessagePipe, Connection]:
    """Two connected ends: one for this process, and one for a worker to inherit.

    Raises:
        OSError: There are too many open files.
    """
    ours, theirs = multiprocessing.Pipe()
    return MessagePipe(ours), theirs


class MessagePipe:
    """Does what a `MessageSocket` does, except for descriptors, which Windows has not.

    Attributes:
        waitable: What to wait for: there is something to receive.
        unsent: False, because nobody needs to wait until there is room.
    """

    unsent = False

    def __init__(self, end: Connection) -> None:
        """Takes over a connection."""
        self.waitable = end
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._broken = False

    @classmethod
    def over(cls, connection: Connection) -> MessagePipe:
        """Takes over what a worker has inherited."""
        return cls(connection)

    def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        """Lets the thread send a message.

        Raises:
            OSError: The other end is closed.
            Exception: The message cannot be pickled; nothing was sent.
        """
        assert not descriptors
        content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        if self._broken:
            raise BrokenPipeError("the other end is closed")
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, daemon=True)
            self._writer.start()
        self._outgoing.put(content)

    def flush(self) -> None:
        """Does nothing: the thread is at it."""

    def receive(self) -> list[bytes]:
        """The messages that have arrived, still pickled; perhaps none.

        Raises:
            EOFError, OSError: The other end is closed, and there are no more messages.
        """
        found: list[bytes] = []
        try:
            while len(found) < _IN_A_TURN and self.waitable.poll():
                found.append(self.waitable.recv_bytes())
        except (EOFError, OSError):  # which comes again the next time
            if not found:
                raise
        return found

    def next_message(self) -> Any:
        """Waits for a message.

        Raises:
            EOFError, OSError: The other end is closed.
        """
        return pickle.loads(self.waitable.recv_bytes())

    def take_descriptor(self) -> int:
        """There are none here.

        Raises:
            OSError: Always.
        """
        raise OSError("descriptors are not sent here")

    def hang_up(self) -> None:
        """Closes the connection for both ends."""
        self.close()

    def close(self) -> None:
        """Closes this end, which ends the thread."""
        self._broken = True
        self._outgoing.put(None)
        self.waitable.close()

    def _write(self) -> None:
        with suppress(OSError, ValueError, TypeError):  # one of the ends is closed
            while (content := self._outgoing.get()) is not None:
                self.waitable.send_bytes(content)
        self._broken = True
