"""The first step of a worker process: it imports what it needs, or tells the parent why it cannot."""

from __future__ import annotations

from multiprocessing.connection import Connection

from imageloom.errors import MissingDependencyError

__all__ = ["main"]


def main(connection: Connection) -> None:
    """Serves one parent until the connection ends."""
    try:
        from imageloom.executors.worker import serve
    except MissingDependencyError as error:
        from imageloom.executors.messages import CannotStart

        connection.send(CannotStart(error))
    else:
        serve(connection)
