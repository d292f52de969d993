"""What computes the batches of a generator's iterators."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from functools import cached_property, partial
from typing import Final

from imageloom._errors import InvalidArgumentError
from imageloom._executors.adaptive import AdaptiveChannel
from imageloom._executors.base import Channel
from imageloom._executors.fallback import FallbackChannel, why_it_stays
from imageloom._executors.importing import note_reader
from imageloom._executors.inside import refuse_in_worker
from imageloom._executors.own_process import needs_own_process
from imageloom._executors.program import open_channel
from imageloom._executors.shared import SharedExecutor, make_executor
from imageloom._executors.state.snapshot import snapshot
from imageloom._executors.travelling import obstacle
from imageloom._executors.workers.birth import NoWorkers, check_workers_can_be_born
from imageloom._log import counted, logger
from imageloom._machine import available_cpus, worker_count
from imageloom._options import GeneratorOptions
from imageloom._pipeline.recipe import Recipe
from imageloom._sources.base import SampleSource
from imageloom._stream.observing import observers
from imageloom._stream.substitutions import ReplacingChannel

__all__ = ["Engine"]

_OTHER_PROCESSES: Final = ("processes", "ray")


class Engine:
    """Opens channels for the iterators of one generator.

    Worker processes are those of the whole program. Threads, and what Ray keeps for a program, start
    with the generator's first channel and end with its last one.

    Attributes:
        lent: an executor to use in the place of any other.
    """

    def __init__(self) -> None:
        """Starts nothing."""
        self.lent: SharedExecutor | None = None
        self._owner: int | None = None

    @cached_property
    def shared(self) -> SharedExecutor:
        """The executor of this generator; many generators, such as copies for hooks, need none."""
        return SharedExecutor()

    @cached_property
    def _here(self) -> SharedExecutor:
        return SharedExecutor()

    def open(self, options: GeneratorOptions, source: SampleSource, recipe: Recipe) -> Channel:
        """Opens a channel for the batches of one iterator.

        Args:
            options: the generator's options, which name the executor and the number of workers.
            source: the iterator's data set.
            recipe: the recipe of its batches.

        Raises:
            InvalidArgumentError: the files are in memory://, which other processes cannot read.
            IteratorClosedError: this process is a worker.
        """
        kind = "threads" if options.debug else options.executor
        if "memory" in source.protocols and kind in _OTHER_PROCESSES:
            raise InvalidArgumentError(
                "Only this process can read files of memory://, and the workers of "
                f'executor="{kind}" are other processes: pass executor="threads".'
            )
        if self._is_inherited() or observers:
            kind = "serial"
        note_reader()
        refuse_in_worker(starts_processes=kind in _OTHER_PROCESSES)
        if kind != "ray" and logger.isEnabledFor(logging.INFO):  # Ray's executor logs its own
            _log_workers(options, kind)
        if kind in _OTHER_PROCESSES and recipe.carries_code:
            recipe = dataclasses.replace(recipe, program=snapshot(recipe))
        channel = self._opened(kind, options, recipe, len(source))
        return ReplacingChannel(channel, source) if recipe.report.all_bad_samples else channel

    def _is_inherited(self) -> bool:
        """Whether this is a forked child of the process that has used the generator before.

        Such children belong to a pool that computes already, and live shortly.
        """
        if self._owner is None:
            self._owner = os.getpid()
        inherited = self._owner != os.getpid()
        if inherited:
            self.shared, self._here = SharedExecutor(), SharedExecutor()
        return inherited

    def _opened(self, kind: str, options: GeneratorOptions, recipe: Recipe, samples: int) -> Channel:
        limits = (options.max_batches_pending, options.batch_timeout)

        def open_far() -> Channel:
            disable_gpu = bool(options.disable_gpu_in_subprocesses)
            workers = _count(options)
            if self.lent is None and kind == "processes":
                check_workers_can_be_born()
                return open_channel(recipe, *limits, workers=workers, disable_gpu=disable_gpu)
            cores: float = workers
            if kind == "ray":
                cores = -1 if options.cores is None else options.cores
            make = partial(make_executor, kind, cores, disable_gpu=disable_gpu)
            return (self.lent or self.shared).open(make, recipe, *limits)

        def open_here(kind: str, recipe: Recipe) -> Channel:
            # Only threads are worth sharing.
            shared = self._here if kind == "threads" else SharedExecutor()
            make = partial(make_executor, kind, _count(options), disable_gpu=False)
            return shared.open(make, recipe, *limits)

        own_workers = kind == "processes" and self.lent is None
        no_workers = _no_workers() if own_workers else None

        def open_any() -> Channel:
            if kind in _OTHER_PROCESSES and (recipe.carries_code or no_workers is not None):
                return FallbackChannel(recipe, open_far, open_here)
            return open_far()

        if not own_workers or not _may_compute_here(recipe, options):
            return open_any()
        # Before the first batch: functions often make what cannot be sent when they are first called.
        error = no_workers or (obstacle(recipe) if recipe.carries_code else None)
        stays = None if error is None else why_it_stays(recipe, error)
        epoch = math.ceil(samples / recipe.layout.rows)
        count = partial(_count, options)
        return AdaptiveChannel(recipe, open_any, epoch=epoch, workers=count, stays=stays)


def _no_workers() -> NoWorkers | None:
    """Why this program cannot start workers."""
    try:
        check_workers_can_be_born()
    except NoWorkers as error:
        return error
    return None


def _count(options: GeneratorOptions) -> int:
    """The number of workers."""
    return 1 if options.debug else worker_count(options.cores)


def _may_compute_here(recipe: Recipe, options: GeneratorOptions) -> bool:
    """Whether the thread that reads may compute batches: no function of the user speaks against it.

    Nothing could end a batch that takes too long.
    """
    return options.batch_timeout is None and not needs_own_process(recipe)


def _log_workers(options: GeneratorOptions, kind: str) -> None:
    if kind == "serial":
        logger.info("The program computes the batches of this iterator itself, without workers.")
        return
    workers, cpus = counted(_count(options), "worker"), counted(available_cpus(), "CPU")
    cores = "debug=True" if options.debug else f"cores={options.cores}"
    logger.info("%s of %s on %s (%s) for this iterator.", workers, kind, cpus, cores)
