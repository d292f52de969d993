"""Computes in this process what cannot be computed in another one, so that Keras' programs run.

A function of the user may refer to what cannot leave the process: a video reader, a database, a file
that is written. So may a class that the program has registered with Pillow. Keras calls them in the
program itself. So if the recipe of an iterator cannot be
pickled, or no worker can unpickle it, the batches of this one iterator are computed in threads, with
one warning that says why. Other iterators stay with the workers. As long as the reader computes the
batches because they are few (`adaptive`), no thread is started, but the warning comes at once: else it
would depend on the speed of the machine.

A program that was frozen into one file, or that only has Python in it, cannot start workers at all.
Then this is so for all its iterators, and it is warned once.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from imageloom._checks.asking import is_a
from imageloom._errors import IteratorClosedError
from imageloom._executors.base import BatchFuture, Channel, ComputedBatch, discard_finished
from imageloom._executors.closing import Closer, Closers
from imageloom._executors.culprit import Culprit, find_culprit
from imageloom._executors.failures import was_not_received
from imageloom._executors.fallback_words import why_here, without_workers
from imageloom._executors.forwarding import ForwardingChannel
from imageloom._executors.travelling import CannotTravel, what_travels
from imageloom._executors.turns import TURNS_OF_THE_PROGRAM, Turn
from imageloom._executors.workers.birth import NoWorkers
from imageloom._locks import Lock
from imageloom._pipeline.batch_method import BATCH_METHOD
from imageloom._pipeline.recipe import BatchReport, BatchTask, Recipe
from imageloom._warnings import Code, Once, coded

__all__ = ["FallbackChannel", "Reason", "why_it_stays"]

OpenHere = Callable[[str, Recipe], Channel]
_OF_ONE_THREAD: Final = (sqlite3.Connection, sqlite3.Cursor)  # they refuse every other thread
_shown: Final = Once()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the batches of an iterator are computed in this process.

    Attributes:
        text: The warning.
        warns: Whether it is to be shown.
    """

    text: str
    warns: bool = True

    def noted_in(self, report: BatchReport) -> BatchReport:
        """The report of a batch that tells the reason.

        It is shown once for each iterator, in the thread that reads it and at its line.
        """
        if self.warns:
            report = report.with_warnings([("fallback", self.text, UserWarning)])
        return dataclasses.replace(report, fallback=self.text)


class FallbackChannel(ForwardingChannel):
    """A channel to workers until one of them cannot receive the recipe; then a channel in this process.

    That can happen before the first batch has been computed only. From then on, batches come straight
    from the workers' channel.
    """

    def __init__(self, recipe: Recipe, open_far: Callable[[], Channel], open_here: OpenHere) -> None:
        """`open_far` opens the channel to workers; `open_here` one of "threads" or "serial"."""
        self._recipe = recipe
        self._open_here = open_here
        # The garbage collector may close the channel in the middle of anything.
        self._lock = Lock()
        self._inner: dict[BatchFuture, BatchFuture] = {}
        self._far: Channel | None = None
        self._here: Channel | None = None
        self._turn: Turn | None = None
        self._reason = Reason("")
        self._proven = False
        self._closers = Closers()
        try:
            self._far = open_far()
            self._closers.add(self._far.closer())
        except CannotTravel as error:
            self._stay(_culprit_of(recipe), error.__cause__ or error)
        except NoWorkers as error:
            self._stay(_culprit_of(recipe), error)

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        """Submits a task to the workers, or to this process."""
        if self._proven:
            return self._used.submit(task, urgent=urgent)
        outer: BatchFuture = Future()
        outer.add_done_callback(self._cancelled)
        self._try(outer, task, urgent=urgent)
        return outer

    def prioritise(self, future: BatchFuture) -> None:
        """Moves the task of this future before all waiting tasks."""
        self._used.prioritise(self._inner.get(future, future))

    def work_on(self, future: BatchFuture) -> None:
        """Lets the calling thread compute; if it has to wait, its function lends its turn."""
        self._used.work_on(self._inner.get(future, future))
        if self._turn is not None:
            self._turn.lend_until(future)

    def closer(self) -> Closer:
        """Returns what closes both channels."""
        return self._closers

    @property
    def _used(self) -> Channel:
        channel = self._here or self._far
        assert channel is not None
        return channel

    def _stay(self, culprit: Culprit | None, error: BaseException) -> None:
        """Uses a channel in this process from now on, unless it does already."""
        with self._lock:
            if self._closers.closed:
                raise IteratorClosedError("The iterator was closed.")
            if self._here is not None:
                return
            # Most objects that cannot travel are not made for several threads, and several iterators,
            # whose first batches their readers compute, may use one. Without workers, functions run
            # here that were made for a process of their own.
            self._turn = Turn(TURNS_OF_THE_PROGRAM)
            code = dataclasses.replace(self._recipe.user_code, turns=self._turn)
            recipe = dataclasses.replace(self._recipe, user_code=code)
            channel = self._open_here(_kind_for(culprit), recipe)
            self._reason = _reason(self._recipe, culprit, error)
            self._here = channel
            self._closers.add(channel.closer())

    def _try(self, outer: BatchFuture, task: BatchTask, *, urgent: bool) -> None:
        channel = self._used
        inner = channel.submit(task, urgent=urgent)
        self._inner[outer] = inner
        inner.add_done_callback(partial(self._finished, outer, task, channel))

    def _finished(
        self, outer: BatchFuture, task: BatchTask, channel: Channel, inner: BatchFuture
    ) -> None:
        self._inner.pop(outer, None)
        if inner.cancelled() or outer.cancelled():
            outer.cancel()
            discard_finished(inner)
            return
        error = inner.exception()
        if error is not None and channel is self._far and not self._proven and was_not_received(error):
            try:
                self._stay(None, error)
                self._try(outer, task, urgent=True)
                return
            except Exception as failure:  # the iterator was closed, or no thread can be started
                error = failure
        if error is None:
            self._deliver(outer, channel, inner.result())
        elif outer.set_running_or_notify_cancel():
            outer.set_exception(error)

    def _deliver(self, outer: BatchFuture, channel: Channel, batch: ComputedBatch) -> None:
        if channel is self._here:
            batch.report = self._reason.noted_in(batch.report)
        else:
            self._proven = self._here is None
        if outer.set_running_or_notify_cancel():
            outer.set_result(batch)
        else:
            batch.discard()

    def _cancelled(self, outer: BatchFuture) -> None:
        inner = self._inner.get(outer)
        if outer.cancelled() and inner is not None:
            inner.cancel()


def why_it_stays(recipe: Recipe, error: CannotTravel | NoWorkers) -> Reason:
    """Why no worker can compute the batches of a recipe, after `error`."""
    cause = error if isinstance(error, NoWorkers) else error.__cause__ or error
    return _reason(recipe, _culprit_of(recipe), cause)


def _reason(recipe: Recipe, culprit: Culprit | None, error: BaseException) -> Reason:
    kind = _kind_for(culprit)
    if isinstance(error, NoWorkers):
        text = without_workers(kind, error)
        return Reason(coded(Code.NO_WORKERS, text), warns=_shown.first("no workers"))
    functions = [name for name, _ in _functions(recipe)]
    plugins = [name for name, _ in _plugins(recipe)]
    text = why_here(functions, plugins, kind, culprit, error)
    return Reason(coded(Code.NO_WORKERS, text))


def _kind_for(culprit: Culprit | None) -> str:
    bound = culprit is not None and is_a(culprit.value, _OF_ONE_THREAD)
    return "serial" if bound else "threads"


def _culprit_of(recipe: Recipe) -> Culprit | None:
    with suppress(Exception):  # whatever the user's classes do to who looks at them
        return find_culprit(_roots(what_travels(recipe)))
    return None


def _functions(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    code = recipe.user_code
    for hook in (code.noaug_hook, code.hook):
        if hook is not None:
            yield hook.name, hook.function
    if code.batch_function is not None:
        yield "get_batch_function", code.batch_function
    if code.batch_method is not None:
        yield BATCH_METHOD, code.batch_method


def _plugins(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    for table, key, value in () if recipe.pillow is None else recipe.pillow.added:
        yield f"the program's plug-in of Pillow for {key} (Image.{table})", value


def _roots(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    yield from _functions(recipe)
    yield from _plugins(recipe)
    yield "the generator", recipe.params.image_data_generator
