"""The main loop of a worker process: it computes the tasks from its connection until that ends.

A worker is started clean (see `spawning` and `boot`): it has not imported the user's main module,
and it imports no training framework. It ends when its connection ends. If the parent dies while the
worker is computing, the end of its standard input ends it, and on Linux the kernel kills it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

from imageloom._executors.elsewhere import as_in_program
from imageloom._executors.failed import Failed
from imageloom._executors.failures import as_message, received
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

_PR_SET_PDEATHSIG: Final = 1


def serve(connection: Connection) -> None:
    """Computes batches for one parent process until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    _end_with_parent()
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
        self.slots = slots

    def pipeline(self) -> Pipeline:
        """Returns the pipeline. It is built for the first batch, which fails if that fails."""
        if self._pipeline is None:
            recipe = received(self._recipe)
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
    try:
        pipeline = channel.pipeline()
        arrays = channel.slots.arrays(message.slot, len(message.task))
        raw = channel.slots.raw_rows(message.slot, len(message.task))
        progress = channel.slots.progress(message.slot)
        with as_in_program(pipeline.recipe, message.task) as pillow:
            report = pipeline.run(message.task, arrays, raw, progress)
        return Done(report.with_warnings(pillow))
    except BaseException as error:  # a hook may even raise SystemExit, which must not end the worker
        return as_message(error)


def _end_with_parent() -> None:
    threading.Thread(target=_watch_parent, daemon=True).start()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch_parent() -> None:
    """Ends this process at the end of standard input, whose other end only the parent holds."""
    while os.read(0, 1):
        pass
    os._exit(0)
