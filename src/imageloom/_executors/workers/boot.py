"""The first step of a worker process: it imports what it needs, or reports why it cannot."""

from __future__ import annotations

from contextlib import suppress
from multiprocessing.connection import Connection

from imageloom._errors import MissingDependencyError

__all__ = ["main"]


def main(connection: Connection) -> None:
    """Computes batches for one parent process until the connection ends."""
    try:
        from imageloom._executors.workers.worker import serve
    except MissingDependencyError as error:
        from imageloom._executors.workers.messages import CannotStart

        with suppress(OSError):  # the parent has heard it from another worker, and has gone
            connection.send(CannotStart(error))
    else:
        serve(connection)
