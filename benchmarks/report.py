"""Turn the measurements of all rounds into a summary and a table.

`python docs/drawings/draw.py` makes charts of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from peers import PEERS
from workload import Measurement

Runs = Mapping[str, list[Measurement]]

_HEADINGS = (
    "peer",
    "first epoch",
    "lowest-highest",
    "later epochs",
    "x Keras",
    "x best other",
    "later x best other",
    "of the floor",
    "first batch s",
    "CPU ms/image",
    "MiB/worker",
)


@dataclass(frozen=True)
class Summary:
    """The medians over the rounds of one peer, and its rates as multiples of others'.

    Rates are images per second, without the first batch; `later` is the best of all epochs. Peers
    that keep decoded images have no `first`.
    """

    label: str
    rounds: int
    first: float | None
    lowest_first: float | None
    highest_first: float | None
    later: float
    seconds_to_first_batch: float
    cpu_ms_per_image: float
    main_uss_mib: float
    worker_uss_mib: float | None
    first_by_keras: float | None
    first_by_best_other: float | None
    later_by_best_other: float | None
    first_by_floor: float | None


def summarise(runs: Runs) -> dict[str, Summary]:
    """Return the summary of each peer that was measured at least once."""
    measured = {peer: done for peer, done in runs.items() if done}
    return {peer: _summary(peer, measured) for peer in measured}


def _summary(peer: str, runs: Runs) -> Summary:
    """Return the medians of one peer's runs; ratios are medians of the rounds' ratios."""
    own = runs[peer]

    def median(value: Callable[[Measurement], float]) -> float:
        return statistics.median(value(run) for run in own)

    firsts = [run.first_epoch for run in own if run.first_epoch is not None]
    others = [name for name in runs if PEERS[name].augments and not name.startswith("imageloom")]
    with_workers = [statistics.fmean(run.worker_uss_mib) for run in own if run.worker_uss_mib]
    return Summary(
        label=PEERS[peer].label,
        rounds=len(own),
        first=statistics.median(firsts) if firsts else None,
        lowest_first=min(firsts, default=None),
        highest_first=max(firsts, default=None),
        later=median(_later),
        seconds_to_first_batch=median(lambda run: run.seconds_to_first_batch),
        cpu_ms_per_image=median(lambda run: run.cpu_ms_per_image),
        main_uss_mib=median(lambda run: run.main_uss_mib),
        worker_uss_mib=statistics.median(with_workers) if with_workers else None,
        first_by_keras=_ratio(runs, peer, ["keras"], _first),
        first_by_best_other=_ratio(runs, peer, others, _first),
        later_by_best_other=_ratio(runs, peer, others, _later),
        first_by_floor=_ratio(runs, peer, ["floor"], _first),
    )


def _first(run: Measurement) -> float:
    return run.first_epoch or 0.0


def _later(run: Measurement) -> float:
    return max(run.first_epoch or 0.0, run.later_epoch or 0.0)


def _ratio(
    runs: Runs, peer: str, others: list[str], rate: Callable[[Measurement], float]
) -> float | None:
    """Return how many times as fast as the fastest of the others a peer is, round by round."""
    there = [runs[name] for name in others if name in runs and any(map(rate, runs[name]))]
    if not there or not any(map(rate, runs[peer])):
        return None
    ratios = [
        rate(own) / max(rate(run) for run in in_round)
        for own, *in_round in zip(runs[peer], *there, strict=False)
    ]
    return statistics.median(ratios)


def ratios(workloads: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the ratios of medians, by workload, that show whether imageloom became slower."""
    found = {}
    for workload, record in workloads.items():
        summary = record["summary"]
        for peer, rate, other, words in (
            ("imageloom", "first", "keras", "x Keras"),
            ("imageloom", "first", "torch", "x DataLoader"),
            ("imageloom", "first", "floor", "of decoding alone"),
            ("imageloom-cache", "later", "floor", "of decoding alone"),
        ):
            if peer in summary and other in summary:
                value = summary[peer][rate] / summary[other]["first"]
                found[f"{workload}, {peer}: {words}"] = value
    return found


def table(summaries: Mapping[str, Summary], failures: Mapping[str, str]) -> str:
    """Return the summaries as a Markdown table, with a line below for each failing peer."""
    lines = markdown([_HEADINGS, *(_cells(summary) for summary in summaries.values())])
    return "\n".join(
        [lines, *(f"FAILED: {PEERS[peer].label}: {reason}" for peer, reason in failures.items())]
    )


def markdown(rows: list[tuple[str, ...]], names: int = 1) -> str:
    """Return rows, headings first, as a Markdown table with right-aligned numbers."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_line(row, widths, names) for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _line(row: tuple[str, ...], widths: list[int], names: int) -> str:
    cells = [
        cell.ljust(width) if column < names else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "| " + " | ".join(cells) + " |"


def _cells(summary: Summary) -> tuple[str, ...]:
    """Return the texts of one peer's row, in the order of the headings."""
    return (
        summary.label,
        _optional(summary.first, 0),
        f"{_optional(summary.lowest_first, 0)}-{_optional(summary.highest_first, 0)}",
        f"{summary.later:.0f}",
        _optional(summary.first_by_keras, 1),
        _optional(summary.first_by_best_other, 2),
        _optional(summary.later_by_best_other, 1),
        _optional(summary.first_by_floor, 2),
        f"{summary.seconds_to_first_batch:.1f}",
        f"{summary.cpu_ms_per_image:.1f}",
        _optional(summary.worker_uss_mib, 0),
    )


def _optional(value: float | None, decimals: int) -> str:
    """Return a number as text; it may be missing."""
    return "-" if value is None else f"{value:.{decimals}f}"
