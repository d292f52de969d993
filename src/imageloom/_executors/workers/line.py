"""The connection between the parent and a worker, as this system has it."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

if sys.platform == "win32":
    from imageloom._executors.workers.message_pipe import MessagePipe as Line
    from imageloom._executors.workers.message_pipe import pair_of_pipes as _pair
else:
    from imageloom._executors.workers.message_socket import MessageSocket as Line
    from imageloom._executors.workers.message_socket import pair_of_sockets as _pair

__all__ = ["Line", "pair_of_lines"]


def pair_of_lines() -> tuple[Line, Connection]:
    """Two connected ends: one for this process, and one for a worker to inherit.

    Raises:
        OSError: There are too many open files.
    """
    return _pair()
