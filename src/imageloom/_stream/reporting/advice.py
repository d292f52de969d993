"""One sentence about a report: whether the model waits, and the one change that would help most."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from imageloom._log import counted
from imageloom._pipeline.stages import STAGES

if TYPE_CHECKING:
    from imageloom._stream.reporting.report import Report

__all__ = ["sentence_about"]

_NEGLIGIBLE_WAITING: Final = 0.05
_NEGLIGIBLE_IDLENESS: Final = 0.15  # a worker's time between two batches belongs to no stage
_FEW_BATCHES: Final = 3
_MB, _GB = 10**6, 10**9
_OWN_STAGES: Final = {
    "hook": "make preprocessing_function faster, or ",
    "noaug_hook": "make noaug_preprocessing_function faster, or ",
    "batch_function": "make get_batch_function faster, or ",
    "save": "leave save_to_dir out, or ",
}


def sentence_about(report: Report) -> str:
    """Whether the model waits for data, and the one change that would help most."""
    if report.batches < _FEW_BATCHES or report.seconds <= 0:
        return "Too few batches so far for a verdict."
    if not report.workers_started:
        return (
            f"The program itself has computed the batches so far, in {report.worker_seconds:.1f} s: "
            "workers start when there is more to do than their start takes."
        )
    waits = f"The model waits {report.waiting_share:.0%} of the time for data"
    if report.waiting_share < _NEGLIGIBLE_WAITING:
        return f"{waits}, so faster loading would gain nothing."
    stage, share = _main_stage(report)
    part = "most" if share >= 0.5 else "the largest part"
    return (
        f"{waits}; {part} of the computing time ({share:.0%}) goes into {STAGES[stage].cost}: "
        f"{_advice(report, stage)}."
    )


def _main_stage(report: Report) -> tuple[str, float]:
    if not report.stages or report.worker_seconds <= 0:
        return "finish", 0.0
    stage = max(report.stages, key=lambda name: report.stages[name])
    return stage, report.stages[stage] / report.worker_seconds


def _advice(report: Report, stage: str) -> str:
    if report.decoded_nbytes is not None and stage in ("read", "fetch"):
        size = _in_words(report.decoded_nbytes)
        return f'cache the decoded images (cache="memory", about {size}), or {_more(report, stage)}'
    return _OWN_STAGES.get(stage, "") + _more(report, stage)


def _more(report: Report, stage: str) -> str:
    """What helps whatever takes the time."""
    if report.fallback is not None:
        return "let the generator's own workers compute the batches, as the last line says"
    if report.serial:
        return (
            "let workers compute the batches ahead, in the background "
            f'(executor="processes", cores={min(_workers_wanted(report), report.cpus)})'
        )
    if 2 * report.by_reader > report.batches:
        return (
            "look again after more batches, because the program itself has computed "
            f"{report.by_reader} of {report.batches} so far, while its workers were starting"
        )
    if report.idle_share >= _NEGLIGIBLE_IDLENESS:
        more = f" (max_batches_pending={2 * report.pending})" if report.pending else ""
        return (
            f"raise max_batches_pending{more}, because the consumer requests several batches at once "
            f"and workers are idle {report.idle_share:.0%} of the time"
        )
    return _more_workers(report, stage)


def _more_workers(report: Report, stage: str) -> str:
    """What helps where all workers are busy."""
    wanted = max(_workers_wanted(report), report.workers + 1)
    if report.workers < report.cpus:
        usable = min(wanted, report.cpus)
        return f"use {counted(usable - report.workers, 'more worker')} (cores={usable})"
    if stage == "fetch":
        return "move the files closer to this machine; more CPUs would not help"
    busy = "the CPU is" if report.cpus == 1 else f"all {report.cpus} CPUs are"
    larger = "larger cluster" if report.nodes else "machine with more CPUs"
    less = "augment less, or " if stage == "transform" else ""
    return f"{less}use a {larger}, because {busy} busy and {wanted} would be needed"


def _workers_wanted(report: Report) -> int:
    """The number of workers that would compute as fast as the model consumes without waiting."""
    own_time = max(report.seconds - report.waited, 1e-3 * report.seconds)
    return max(1, min(10 * report.workers, math.ceil(report.worker_seconds / own_time)))


def _in_words(nbytes: int) -> str:
    if nbytes < 0.1 * _GB:
        return f"{max(1, round(nbytes / _MB)):,} MB"
    return f"{nbytes / _GB:,.1f} GB"
