"""The life of a worker process: it reads tasks from its connection until that ends.

A worker is started clean (see `spawning`, `boot`): it has not imported the user's main module, and it
imports no training framework. It ends when its connection does; should it be in the middle of
something then, its standard input tells it that the parent is gone, and on Linux the kernel does.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import pickle
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

from imageloom._executors.failures import as_message
from imageloom._executors.workers.messages import (
    CloseChannel,
    Compute,
    Done,
    Failed,
    OpenChannel,
    Ready,
)
from imageloom._executors.workers.shared_memory import AttachedSlots, Segment
from imageloom._imaging.opencv import cv2
from imageloom._pipeline.cache import open_store
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.seeds import seeded_for_hooks

__all__ = ["serve"]

_PR_SET_PDEATHSIG: Final = 1


def serve(connection: Connection) -> None:
    """Serves one parent until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _die_with_parent()
    cv2.setNumThreads(1)
    channels: dict[int, _WorkerChannel] = {}
    try:
        connection.send(Ready())
        while True:
            message = connection.recv()
            if isinstance(message, OpenChannel):
                slots = AttachedSlots(connection, message.layout, message.nbytes)
                kept = (
                    Segment.receive(connection, message.cache_nbytes) if message.cache_nbytes else None
                )
                channels[message.channel] = _WorkerChannel(message.recipe, slots, kept)
            elif isinstance(message, CloseChannel):
                channels.pop(message.channel, None)
            else:
                connection.send(_compute(channels[message.channel], message))
    except (EOFError, ConnectionError):
        return  # the parent has closed its end, or is gone


class _WorkerChannel:
    def __init__(self, recipe: bytes, slots: AttachedSlots, kept: mmap.mmap | None) -> None:
        self._recipe = recipe
        self._kept = kept
        self._pipeline: Pipeline | None = None
        self.slots = slots

    def pipeline(self) -> Pipeline:
        """The pipeline, built at the first batch, to which an error in building it belongs."""
        if self._pipeline is None:
            recipe = pickle.loads(self._recipe)
            self._pipeline = Pipeline(recipe, open_store(recipe.cache, self._kept))
        return self._pipeline


def _compute(channel: _WorkerChannel, message: Compute) -> Done | Failed:
    try:
        return _computed(channel, message)
    finally:
        for stream in (sys.stdout, sys.stderr):  # what hooks print is not to wait for the worker's end
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()


def _computed(channel: _WorkerChannel, message: Compute) -> Done | Failed:
    try:
        pipeline = channel.pipeline()
        arrays = channel.slots.arrays(message.slot, len(message.task))
        raw = channel.slots.raw_rows(message.slot, len(message.task))
        cell = channel.slots.sample_cell(message.slot)
        with seeded_for_hooks(pipeline.recipe, message.task, restore=False):
            return Done(pipeline.run(message.task, arrays, raw, cell))
    except BaseException as error:  # a hook may even raise SystemExit: the worker goes on
        return as_message(error)


def _die_with_parent() -> None:
    threading.Thread(target=_watch_parent, daemon=True).start()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch_parent() -> None:
    """Waits for the end of standard input, whose other end only the parent holds."""
    while os.read(0, 1):
        pass
    os._exit(0)
