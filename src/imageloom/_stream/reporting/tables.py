"""A report as tables and sentences, which its text and its form in notebooks share."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imageloom._log import counted
from imageloom._pipeline.stages import STAGES
from imageloom._stream.reporting.figures import Figures

if TYPE_CHECKING:
    from imageloom._stream.reporting.report import Report

__all__ = ["as_html", "as_text"]

_FIRST_SHOWN: Final = 2  # of many epochs
_LAST_SHOWN: Final = 8
_FAINT: Final = "opacity:.65;font-size:85%"


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows of words; the first column is aligned to the left, all others to the right."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def as_text(report: Report) -> str:
    """The report for a terminal: the sentence, the tables, and what else there is to tell."""
    parts = [report.verdict]
    parts += ["\n".join(_lines(table)) for table in _tables(report)]
    parts += ["\n".join(_notes(report))]
    return "\n\n".join(parts)


def as_html(report: Report) -> str:
    """The report for a notebook, without style sheets or scripts. Texts from outside are escaped."""
    parts = [f"<p><b>{html.escape(report.verdict)}</b></p>", *map(_html_table, _tables(report))]
    notes = "<br>".join(html.escape(note).replace("  ", "&emsp;") for note in _notes(report))
    return f"<div style='line-height:1.4'>{''.join(parts)}<p style='{_FAINT}'>{notes}</p></div>"


def _tables(report: Report) -> list[_Table]:
    if not report.batches:
        return []
    tables = [_epochs(report)]
    if report.worker_seconds > 0 and report.timed_images:
        tables.append(_stages(report))
    return tables


def _epochs(report: Report) -> _Table:
    heads = ["epoch", "batches", "images", "seconds", "images/s", "waiting"]
    if not report.serial:
        heads.append("idle")
    rows = [(f"{epoch.epoch:,}", epoch) for epoch in report.epochs]
    shown = [_row(name, figures, report) for name, figures in rows]
    if len(shown) > _FIRST_SHOWN + _LAST_SHOWN + 1:
        gap = ["...", *[""] * (len(heads) - 1)]
        shown = [*shown[:_FIRST_SHOWN], gap, *shown[-_LAST_SHOWN:]]
    return _Table(heads, [*shown, _row("since the start", report, report)])


def _row(name: str, figures: Figures, report: Report) -> list[str]:
    timed = figures.seconds > 0
    row = [
        name,
        f"{figures.batches:,}",
        f"{figures.images:,}",
        _seconds(figures.seconds),
        f"{figures.images_per_second:,.0f}" if timed else "-",
        f"{figures.waiting_share:.0%}" if timed else "-",
    ]
    if not report.serial:
        row.append(f"{figures.idle_share:.0%}" if timed else "-")
    return row


def _stages(report: Report) -> _Table:
    rows = [
        (
            STAGES[name].cost,
            f"{seconds / report.worker_seconds:.0%}",
            f"{1000 * seconds / report.timed_images:,.3f}",
        )
        for name, seconds in sorted(report.stages.items(), key=lambda item: -item[1])
    ]
    return _Table(("computing, by stage", "share", "ms an image"), rows)


def _notes(report: Report) -> Iterator[str]:
    """What the tables do not say, a sentence a line; what belongs to a line is indented."""
    if report.batches:
        first = _seconds(report.seconds_to_first_batch)
        yield f"The first batch came after {first} s, which the seconds above do not include."
    yield _who_computes(report)
    if report.restarts:
        was = "was" if report.restarts == 1 else "were"
        yield f"{counted(report.restarts, 'worker')} died or hung and {was} replaced."
    if report.nodes:
        each = 1000 * report.away_seconds / sum(report.nodes.values())
        yield f"Nodes of the cluster ({each:.0f} ms a batch to get there and back):"
        for node, count in sorted(report.nodes.items()):
            yield f"  {node}: {counted(count, 'batch')}"
    if report.cache_hits:
        yield f"{counted(report.cache_hits, 'image')} came out of the cache."
    if report.bad_images:
        yield f"Bad images, replaced ({len(report.bad_images)}):"
        for bad in report.bad_images:
            yield f"  {bad.filename!r} by {bad.substitute!r}: {bad.reason}"
    if report.fallback is not None:
        yield f"Computed in this process, not by the executor's workers: {report.fallback}"


def _who_computes(report: Report) -> str:
    if not report.workers:
        return "No worker has been asked for yet."
    if report.serial and report.workers_started:
        return "The program computes each batch when it asks for it, without workers."
    cores = "" if report.cores is None else f" (cores={report.cores})"
    workers = f"{counted(report.workers, 'worker')} on {counted(report.cpus, 'CPU')}{cores}"
    return f"{workers}." if report.workers_started else f"{workers} may start later."


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}" if seconds >= 1 else f"{seconds:.3f}"


def _lines(table: _Table) -> Iterator[str]:
    rows = [table.heads, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.heads))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()


def _html_table(table: _Table) -> str:
    def line(cells: Sequence[str], kind: str) -> str:
        sides = ("left", *["right"] * (len(cells) - 1))
        return "<tr>{}</tr>".format(
            "".join(
                f"<{kind} style='text-align:{side}'>{html.escape(cell)}</{kind}>"
                for side, cell in zip(sides, cells, strict=True)
            )
        )

    body = "".join(line(row, "td") for row in table.rows)
    return f"<table style='margin-top:6px'>{line(table.heads, 'th')}{body}</table>"
