"""The main loop of a worker process: it computes the tasks from its connection until that ends.

A worker is started clean (see `spawning` and `boot`): it has not imported the user's main module,
and it imports no training framework. It ends when its connection ends, and at once if the parent dies
(see `lifeline`).
"""

from __future__ import annotations

import gc
import mmap
import os
import signal
import sys
from contextlib import suppress
from typing import Any, Final

from imageloom._addresses import notes_of
from imageloom._errors import BatchMemoryError, WorkerError
from imageloom._executors.elsewhere import as_in_program
from imageloom._executors.failed import Failed
from imageloom._executors.failures import NotReceived, as_message, received
from imageloom._executors.listening import Listener
from imageloom._executors.packing import Packing, parts_at
from imageloom._executors.workers.answers import send_answer
from imageloom._executors.workers.line import Line
from imageloom._executors.workers.messages import (
    CloseChannel,
    Compute,
    Done,
    OpenChannel,
    Ready,
    Request,
)
from imageloom._executors.workers.shared_memory import AttachedSlots
from imageloom._imaging.opencv import cv2
from imageloom._pipeline.cache import open_store
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.shortage import no_memory

__all__ = ["serve"]

_NO_TERMINAL: Final = (
    "which has no terminal. Pass debug=True to the generator: its functions then run in this program."
)


def serve(line: Line) -> None:
    """Computes batches for one parent process until the connection ends.

    Raises:
        BaseException: What a function of the user has raised in a process that it has forked.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    sys.breakpointhook = _break
    cv2.setNumThreads(1)
    process = os.getpid()
    channels: dict[int, _WorkerChannel] = {}
    try:
        line.send(Ready())
        while True:
            message: Request = line.next_message()
            if isinstance(message, OpenChannel):
                channels[message.channel] = _WorkerChannel(line, message)
            elif isinstance(message, CloseChannel):
                _close(channels.pop(message.channel, None))
            else:
                answer = _compute(channels[message.channel], message)
                if os.getpid() != process:
                    return  # a function has forked and returned twice; the worker answers
                send_answer(line, answer)
    except (EOFError, ConnectionError):
        return  # the parent has closed the connection or has died


class _WorkerChannel:
    """The recipe of a channel and its memory, in a worker.

    Attributes:
        is_large: Whether the recipe has large parts.
    """

    def __init__(self, line: Line, message: OpenChannel) -> None:
        """Opens the memory. If that fails, so do the channel's batches, and not the worker."""
        self.is_large = bool(message.parcels)
        self._pipeline: Pipeline | None = None
        self._failure: WorkerError | BatchMemoryError | None = None
        opened: list[mmap.mmap] = []
        for ticket in (
            *message.tickets,
            *message.parcels,
        ):  # all, whatever happens: each is in the line
            try:
                opened.append(ticket.open(line.take_descriptor))
            except (OSError, ValueError) as error:
                self._failure = no_memory(error)
        if self._failure is not None:
            return
        own = len(message.tickets)
        self.slots = AttachedSlots(message.layout, opened[0])
        self._cache_memory = opened[1] if own > 1 else None
        large = parts_at(message.places, [memoryview(parcel) for parcel in opened[own:]])
        self._recipe: tuple[Packing, list[memoryview]] | None = (message.recipe, large)

    def pipeline(self) -> Pipeline:
        """Returns the pipeline. It is built for the first batch, which fails if that fails.

        If a module of the user cannot be imported, that takes as long as the import of everything it
        asks for. So it is tried once.
        """
        if self._failure is not None:
            raise self._failure
        if self._pipeline is None:
            assert self._recipe is not None, "it is received once"
            packing, large = self._recipe
            self._recipe = None  # what the pipeline does not use need not stay in memory
            try:
                recipe = received(packing, large)
            except NotReceived as error:
                self._failure = error
                raise
            self._pipeline = Pipeline(recipe, open_store(recipe.cache, self._cache_memory))
        return self._pipeline


def _close(channel: _WorkerChannel | None) -> None:
    """Lets go of a channel. Functions that arrived by value refer to one another in circles."""
    if channel is not None and channel.is_large:
        del channel
        gc.collect()


def _compute(channel: _WorkerChannel, message: Compute) -> Done | Failed:
    try:
        return _compute_into_slot(channel, message)
    finally:
        for stream in (sys.stdout, sys.stderr):  # what hooks print should appear at once
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()


def _compute_into_slot(channel: _WorkerChannel, message: Compute) -> Done | Failed:
    process = os.getpid()
    listener = Listener()
    try:
        pipeline = channel.pipeline()
        if pipeline.fills_memory:
            channel.slots.show(message.slot, len(message.task))
        arrays = channel.slots.arrays(message.slot, len(message.task))
        raw = channel.slots.raw_rows(message.slot, len(message.task))
        progress = channel.slots.progress(message.slot)
        with as_in_program(pipeline, message.task, listener) as pillow:
            report = pipeline.run(message.task, arrays, raw, progress)
        return Done(report.with_warnings(pillow).with_said(listener.said(message.task)))
    except BaseException as error:  # a hook may even raise SystemExit, which must not end the worker
        if os.getpid() != process:
            raise  # a process that the hook has forked ends
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
    for note in notes_of(error):
        told.add_note(note)
    return told.with_traceback(error.__traceback__)
