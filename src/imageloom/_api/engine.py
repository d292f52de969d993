"""The workers of a generator: one executor that all its iterators share."""

from __future__ import annotations

import sys
from functools import partial
from typing import Final

from imageloom._errors import InvalidArgumentError
from imageloom._executors.base import Channel
from imageloom._executors.fallback import FallbackChannel
from imageloom._executors.shared import SharedExecutor, make_executor
from imageloom._machine import available_cpus, worker_count
from imageloom._options import GeneratorOptions
from imageloom._pipeline.recipe import Recipe
from imageloom._sources.base import SampleSource
from imageloom._stream.substitutions import ReplacingChannel
from imageloom._warnings import Once

__all__ = ["Engine"]

_OTHER_PROCESSES: Final = ("processes", "ray")
_shown: Final = Once()  # the notes that this process has printed


class Engine:
    """Opens channels to workers, which start with the first channel and end with the last one.

    Attributes:
        shared: the executor that all channels use.
    """

    def __init__(self) -> None:
        """Starts nothing."""
        self.shared = SharedExecutor()
        self._here = SharedExecutor()

    def open(self, options: GeneratorOptions, source: SampleSource, recipe: Recipe) -> Channel:
        """Opens a channel for the batches of one iterator.

        Args:
            options: the generator's options, which name the executor and the number of workers.
            source: the iterator's data set.
            recipe: the recipe of its batches.

        Raises:
            InvalidArgumentError: the files are in memory://, which other processes cannot read.
        """
        kind = "threads" if options.debug else options.executor
        if "memory" in source.protocols and kind in _OTHER_PROCESSES:
            raise InvalidArgumentError(
                "Only this process can read files of memory://, and the workers of "
                f'executor="{kind}" are other processes: pass executor="threads".'
            )
        workers = 1 if options.debug else worker_count(options.cores)
        if self.shared.inherited or self._here.inherited:
            # A forked child cannot use its parent's workers.
            kind, self.shared, self._here = "serial", SharedExecutor(), SharedExecutor()
        if kind != "ray":  # Ray's executor prints its number of workers itself
            _show_default_cores(options, kind, workers)
        make = partial(
            make_executor,
            kind,
            (-1 if options.cores is None else options.cores) if kind == "ray" else workers,
            disable_gpu=bool(options.disable_gpu_in_subprocesses),
        )
        limits = (options.max_batches_pending, options.batch_timeout)

        def open_here(kind: str, recipe: Recipe) -> Channel:
            # Only threads are worth sharing.
            shared = self._here if kind == "threads" else SharedExecutor()
            return shared.open(
                partial(make_executor, kind, workers, disable_gpu=False), recipe, *limits
            )

        channel: Channel
        if kind in _OTHER_PROCESSES and recipe.carries_code:
            open_far = partial(self.shared.open, make, recipe, *limits)
            channel = FallbackChannel(recipe, open_far, open_here)
        else:
            channel = self.shared.open(make, recipe, *limits)
        return ReplacingChannel(channel, source) if recipe.report.all_bad_samples else channel


def _show_default_cores(options: GeneratorOptions, kind: str, workers: int) -> None:
    """Prints once how few workers a quarter of the CPUs is, the default of MLTK's class."""
    quarter = 0.25
    if kind == "serial" or options.debug or options.cores != quarter or not _shown.first("cores"):
        return
    print(
        f"imageloom: {workers} worker(s) of {kind} on {available_cpus()} CPUs (cores={quarter}); "
        "pass `cores`, a number or a share, for more.",
        file=sys.stderr,
    )
