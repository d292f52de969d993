"""The main loop of a worker process: it computes the tasks from its connection until that ends.

A worker is started clean (see `spawning` and `boot`): it has not imported the user's main module,
and it imports no training framework. It ends when its connection ends, and at once if the parent dies
(see `lifeline`).
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final

from imageloom._errors import WorkerError
from imageloom._executors.elsewhere import as_in_program
from imageloom._executors.failed import Failed
from imageloom._executors.failures import NotReceived, as_message, received
from imageloom._executors.listening import Listener
from imageloom._executors.workers.messages import (
    CloseChannel,
    Compute,
    Done,
    OpenChannel,
    Ready,
    Request,
)
from imageloom._executors.workers.shared_memory import AttachedSlots, Segment
from imageloom._imaging.opencv import cv2
from imageloom._pipeline.cache import open_store
from imageloom._pipeline.pipeline import Pipeline

__all__ = ["serve"]

_NO_TERMINAL: Final = (
    "which has no terminal. Pass debug=True to the generator: its functions then run in this program."
)


def serve(connection: Connection) -> None:
    """Computes batches for one parent process until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    sys.breakpointhook = _break
    cv2.setNumThreads(1)
    channels: dict[int, _WorkerChannel] = {}
    try:
        connection.send(Ready())
        while True:
            message: Request = connection.recv()
            if isinstance(message, OpenChannel):
                slots = AttachedSlots(connection, message.layout, message.nbytes)
                cache_memory = (
                    Segment.receive(connection, message.cache_nbytes) if message.cache_nbytes else None
                )
                channels[message.channel] = _WorkerChannel(message.recipe, slots, cache_memory)
            elif isinstance(message, CloseChannel):
                channels.pop(message.channel, None)
            else:
                connection.send(_compute(channels[message.channel], message))
    except (EOFError, ConnectionError):
        return  # the parent has closed the connection or has died


class _WorkerChannel:
    """The recipe of a channel and its memory, in a worker."""

    def __init__(self, recipe: bytes, slots: AttachedSlots, cache_memory: mmap.mmap | None) -> None:
        self._recipe = recipe
        self._cache_memory = cache_memory
        self._pipeline: Pipeline | None = None
        self._not_received: NotReceived | None = None
        self.slots = slots

    def pipeline(self) -> Pipeline:
        """Returns the pipeline. It is built for the first batch, which fails if that fails.

        If a module of the user cannot be imported, that takes as long as the import of everything it
        asks for. So it is tried once.
        """
        if self._not_received is not None:
            raise self._not_received
        if self._pipeline is None:
            try:
                recipe = received(self._recipe)
            except NotReceived as error:
                self._not_received = error
                raise
            self._pipeline = Pipeline(recipe, open_store(recipe.cache, self._cache_memory))
        return self._pipeline


def _compute(channel: _WorkerChannel, message: Compute) -> Done | Failed:
    try:
        return _compute_into_slot(channel, message)
    finally:
        for stream in (sys.stdout, sys.stderr):  # what hooks print should appear at once
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()


def _compute_into_slot(channel: _WorkerChannel, message: Compute) -> Done | Failed:
    listener = Listener()
    try:
        pipeline = channel.pipeline()
        arrays = channel.slots.arrays(message.slot, len(message.task))
        raw = channel.slots.raw_rows(message.slot, len(message.task))
        progress = channel.slots.progress(message.slot)
        with as_in_program(pipeline, message.task, listener) as pillow:
            report = pipeline.run(message.task, arrays, raw, progress)
        return Done(report.with_warnings(pillow).with_said(listener.said(message.task)))
    except BaseException as error:  # a hook may even raise SystemExit, which must not end the worker
        return as_message(_explained(error), listener.said(message.task))


def _break(*arguments: Any, **options: Any) -> Any:
    """Stands in for the debugger, which would read standard input.

    A debugger that people reach by other ways is named by PYTHONBREAKPOINT.
    """
    if os.environ.get("PYTHONBREAKPOINT"):
        return sys.__breakpointhook__(*arguments, **options)
    raise WorkerError(f"breakpoint() was called in a worker process, {_NO_TERMINAL}")


def _explained(error: BaseException) -> BaseException:
    """The error itself, unless it is what `pdb.set_trace()` makes of an empty standard input."""
    if type(error).__name__ != "BdbQuit":
        return error
    told = WorkerError(f"A debugger was started in a worker process, {_NO_TERMINAL}")
    told.__cause__ = error
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told.with_traceback(error.__traceback__)
