"""One end of a connection between the parent and a worker, which never waits for the other end.

If both ends waited until what they send has been taken, each could wait for the other: a worker with
a large answer, and the parent with a large task. And who waits for the rest of a message waits for
ever if the sender is stopped in the middle of it. So an end sends what there is room for and keeps the
rest; and it takes what has come and returns whole messages only. Both happen whenever `waiting.wait`
says so.

A message is pickled, and framed as `multiprocessing.connection` does it: the length in four bytes, or
-1 and the length in eight. So a worker can read the first message before it can import this module.
Descriptors travel with the first byte of their message.
"""

from __future__ import annotations

import array
import os
import pickle
import socket
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final

from imageloom._executors.workers.waiting import wait
from imageloom._storage.refusals import close_quietly

__all__ = ["MessageSocket", "pair_of_sockets"]

_SHORT: Final = struct.Struct("!i")
_LONG: Final = struct.Struct("!Q")
_LONGEST_SHORT: Final = 0x7FFFFFFF
_CHUNK: Final = 1 << 20  # bytes that are asked for, or offered, at a time
_IN_A_TURN: Final = 8 << 20  # bytes that are taken before others have their turn
_MOST_DESCRIPTORS: Final = 4
_CLOSE_ON_EXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def pair_of_sockets() -> tuple[MessageSocket, Connection]:
    """Two connected ends: one for this process, and one for a worker to inherit.

    Raises:
        OSError: There are too many open files.
    """
    ours, theirs = socket.socketpair()
    return MessageSocket(ours), Connection(theirs.detach())


class _Unsent:
    """What is left of a message, and the descriptors that go with its first byte."""

    def __init__(self, content: memoryview, descriptors: Sequence[int]) -> None:
        self.content = content
        self.descriptors = descriptors
        self.kept = False

    def keep(self) -> None:
        """Makes the descriptors last until they are sent, whatever their owner does."""
        if not self.kept:
            self.descriptors, self.kept = [os.dup(one) for one in self.descriptors], True

    def close(self) -> None:
        """Closes what was kept."""
        if self.kept:
            for one in self.descriptors:
                os.close(one)
        self.descriptors, self.kept = (), False


class MessageSocket:
    """Sends and receives messages over a socket without ever waiting, except in `next_message`.

    Attributes:
        waitable: What to wait for: there is something to receive; or to send, if `unsent`.
    """

    def __init__(self, end: socket.socket) -> None:
        """Takes over a socket."""
        end.setblocking(False)
        self.waitable = end
        self._outgoing: deque[_Unsent] = deque()
        self._complete: deque[bytearray] = deque()
        self._descriptors: deque[int] = deque()
        self._header = True  # whether a length is read
        self._buffer = bytearray(_SHORT.size)
        self._filled = 0

    @classmethod
    def over(cls, connection: Connection) -> MessageSocket:
        """Takes over what a worker has inherited."""
        number = os.dup(connection.fileno())
        connection.close()
        return cls(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=number))

    @property
    def unsent(self) -> bool:
        """Whether there is something to send when there is room."""
        return bool(self._outgoing)

    def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        """Sends a message, or as much of it as there is room for; `flush` sends the rest.

        Raises:
            OSError: The other end is closed.
            Exception: The message cannot be pickled; nothing was sent.
        """
        content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        length = len(content)
        header = _SHORT.pack(min(length, _LONGEST_SHORT))
        if length > _LONGEST_SHORT:
            header = _SHORT.pack(-1) + _LONG.pack(length)
        self._outgoing.append(_Unsent(memoryview(header + content), descriptors))
        self.flush()
        if self._outgoing:
            self._outgoing[-1].keep()

    def flush(self) -> None:
        """Sends what there is room for.

        Raises:
            OSError: The other end is closed.
        """
        while self._outgoing:
            first = self._outgoing[0]
            chunk = first.content[:_CHUNK]
            try:
                if first.descriptors:
                    sent = socket.send_fds(self.waitable, [chunk], first.descriptors)
                else:
                    sent = self.waitable.send(chunk)
            except BlockingIOError:
                return
            first.close()
            first.content = first.content[sent:]
            if not first.content:
                self._outgoing.popleft()

    def receive(self) -> list[bytearray]:
        """The messages that have arrived, still pickled; perhaps none.

        Raises:
            EOFError, OSError: The other end is closed, and there are no more messages.
        """
        taken = 0
        try:
            while taken < _IN_A_TURN:
                count = self._take()
                if count == 0:
                    raise EOFError
                taken += count
        except BlockingIOError:
            pass
        except (EOFError, OSError):  # which comes again the next time
            if not self._complete:
                raise
        found, self._complete = list(self._complete), deque()
        return found

    def next_message(self) -> Any:
        """Waits for a message, sending meanwhile; all that was sent before has left this process.

        Raises:
            EOFError, OSError: The other end is closed.
        """
        while True:
            message = self.poll()
            if message is not None:
                return pickle.loads(message)
            wait([self.waitable], [self.waitable] if self.unsent else [], None)

    def poll(self) -> bytearray | None:
        """The next message once everything is sent, still pickled; None if there is none yet.

        Raises:
            EOFError, OSError: The other end is closed.
        """
        self.flush()
        if not self._complete:
            received = self.receive()
            self._complete.extend(received)
        return self._complete.popleft() if self._complete and not self.unsent else None

    def take_descriptor(self) -> int:
        """The next descriptor that has come with a message, which now belongs to the caller.

        Raises:
            OSError: It was lost, because this process has too many open files.
        """
        if not self._descriptors:
            raise OSError("a descriptor was lost: this process has too many open files")
        return self._descriptors.popleft()

    def hang_up(self) -> None:
        """Closes the connection for both ends, also if a forked child has inherited this one."""
        with suppress(OSError):  # the other end is gone
            self.waitable.shutdown(socket.SHUT_RDWR)
        self.close()

    def close(self) -> None:
        """Closes this end in this process."""
        close_quietly(self.waitable)
        while self._outgoing:
            self._outgoing.popleft().close()
        while self._descriptors:
            with suppress(OSError):
                os.close(self._descriptors.popleft())

    def _take(self) -> int:
        """Takes some bytes; returns how many, 0 at the end."""
        place = memoryview(self._buffer)[self._filled : self._filled + _CHUNK]
        room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * array.array("i").itemsize)
        count, attached, _, _ = self.waitable.recvmsg_into([place], room, _CLOSE_ON_EXEC)
        for _, _, content in attached:
            numbers = array.array("i")
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
            self._descriptors.extend(numbers)
        place.release()
        self._filled += count
        if self._filled == len(self._buffer):
            self._begin_next()
        return count

    def _begin_next(self) -> None:
        """What was read is complete: a length, or a message."""
        read, self._filled = self._buffer, 0
        if not self._header:
            self._complete.append(read)
            length = None
        elif len(read) == _LONG.size:
            (length,) = _LONG.unpack(read)
        else:
            (length,) = _SHORT.unpack(read)
            if length == -1:
                self._buffer = bytearray(_LONG.size)
                return
        self._header = length is None
        self._buffer = bytearray(_SHORT.size if length is None else length)
