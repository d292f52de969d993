"""Turn the measurements of all rounds into a summary, a table and a bar chart."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from peers import PEERS
from workload import Measurement, Workload

Runs = Mapping[str, list[Measurement]]

_HEADINGS = (
    "peer",
    "images/s",
    "lowest-highest",
    "x Keras",
    "x DataLoader",
    "first batch s",
    "CPU ms/image",
    "main MiB",
    "MiB/worker",
)


@dataclass(frozen=True)
class Summary:
    """The medians over the rounds of one peer, and its rate as a multiple of others'."""

    label: str
    rounds: int
    images_per_second: float
    lowest_images_per_second: float
    highest_images_per_second: float
    seconds_to_first_batch: float
    seconds_in_all: float
    cpu_ms_per_image: float
    main_uss_mib: float
    worker_uss_mib: float | None
    ratio_to_keras: float | None
    ratio_to_torch: float | None


def summarise(runs: Runs) -> dict[str, Summary]:
    """Return the summary of each peer that was measured at least once."""
    rates = {
        peer: statistics.median(run.images_per_second for run in done)
        for peer, done in runs.items()
        if done
    }
    return {peer: _summary(peer, runs[peer], rates) for peer in rates}


def _summary(peer: str, runs: list[Measurement], rates: Mapping[str, float]) -> Summary:
    """Return the medians of one peer's runs."""

    def median(value: Callable[[Measurement], float]) -> float:
        return statistics.median(value(run) for run in runs)

    with_workers = [statistics.fmean(run.worker_uss_mib) for run in runs if run.worker_uss_mib]
    speeds = [run.images_per_second for run in runs]
    return Summary(
        label=PEERS[peer].label,
        rounds=len(runs),
        images_per_second=rates[peer],
        lowest_images_per_second=min(speeds),
        highest_images_per_second=max(speeds),
        seconds_to_first_batch=median(lambda run: run.seconds_to_first_batch),
        seconds_in_all=median(lambda run: run.seconds_in_all),
        cpu_ms_per_image=median(lambda run: run.cpu_ms_per_image),
        main_uss_mib=median(lambda run: run.main_uss_mib),
        worker_uss_mib=statistics.median(with_workers) if with_workers else None,
        ratio_to_keras=_ratio(rates, peer, "keras"),
        ratio_to_torch=_ratio(rates, peer, "torch"),
    )


def _ratio(rates: Mapping[str, float], peer: str, base: str) -> float | None:
    """Return how many times as fast as ``base`` the peer is, if ``base`` was measured."""
    return rates[peer] / rates[base] if base in rates else None


def table(summaries: Mapping[str, Summary], failures: Mapping[str, str]) -> str:
    """Return the summaries as a Markdown table, with a line below for each failing peer."""
    rows = [_HEADINGS, *(_cells(summary) for summary in summaries.values())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    lines += [f"FAILED: {PEERS[peer].label}: {reason}" for peer, reason in failures.items()]
    return "\n".join(lines)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    """Return one padded row: the name to the left, the numbers to the right."""
    first, *rest = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "| " + " | ".join([first, *rest]) + " |"


def _cells(summary: Summary) -> tuple[str, ...]:
    """Return the texts of one peer's row, in the order of the headings."""
    lowest, highest = summary.lowest_images_per_second, summary.highest_images_per_second
    return (
        summary.label,
        f"{summary.images_per_second:.0f}",
        f"{lowest:.0f}-{highest:.0f}",
        _optional(summary.ratio_to_keras, 2),
        _optional(summary.ratio_to_torch, 2),
        f"{summary.seconds_to_first_batch:.1f}",
        f"{summary.cpu_ms_per_image:.1f}",
        f"{summary.main_uss_mib:.0f}",
        _optional(summary.worker_uss_mib, 0),
    )


def _optional(value: float | None, decimals: int) -> str:
    """Return a number that may be missing as text."""
    return "-" if value is None else f"{value:.{decimals}f}"


def draw_chart(summaries: Mapping[str, Summary], workload: Workload, path: Path) -> None:
    """Draw the rates as horizontal bars, with whiskers from the slowest to the fastest round."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = list(summaries.items())[::-1]
    rates = [summary.images_per_second for _, summary in shown]
    whiskers = [
        [s.images_per_second - s.lowest_images_per_second for _, s in shown],
        [s.highest_images_per_second - s.images_per_second for _, s in shown],
    ]
    figure, axes = pyplot.subplots(figsize=(9, 0.6 * len(shown) + 1.6), layout="constrained")
    axes.barh(
        [summary.label for _, summary in shown],
        rates,
        xerr=whiskers,
        color=[_colour(peer) for peer, _ in shown],
        error_kw={"ecolor": "#333333", "capsize": 3, "linewidth": 1},
    )
    for row, (rate, spread) in enumerate(zip(rates, whiskers[1], strict=True)):
        axes.annotate(
            f"{rate:.0f}", (rate + spread, row), (6, 0), textcoords="offset points", va="center"
        )
    axes.margins(x=0.12)
    axes.set_xlabel("images per second (median; whiskers: slowest and fastest round)")
    axes.set_title(
        f"{workload.images} JPEG photographs to {workload.width}x{workload.height}, "
        f"augmented, batches of {workload.batch_size}"
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _colour(peer: str) -> str:
    """Return a bar's colour: ours stands out, and the floor recedes as it does not augment."""
    if not PEERS[peer].augments:
        return "#cccccc"
    return "#1f77b4" if peer.startswith("imageloom") else "#8c9bab"
