"""The timelines of docs/how-to/why-is-my-gpu-idle.md, drawn from two traces of its program.

`timeline.json` has what is drawn of them. After a change of the program,

    python docs/drawings/timeline.py before.json FROM after.json FROM

writes it anew from two files of `trace`, from these milliseconds on. Colours follow those of the
reader's system.
"""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_name("timeline.json")
MILLISECONDS = 600
WIDTH, LEFT, STEP = 360, 72, 24
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
# Kind of a span -> colours on a light and on a dark ground, and what the legend says.
KINDS = {
    "waiting": ("#cf222e", "#ff7b72", "waits"),
    "step": ("#0969da", "#58a6ff", "trains"),
    "hook": ("#bf8700", "#e3b341", "your function"),
    "read": ("#1a7f64", "#3fb98d", "read, decode"),
    "transform": ("#8250df", "#bc8cff", "transform"),
}
STAGES = {"standardize": "transform"}  # too short for a colour of its own
TITLES = {
    "before": "One worker, and a slow function",
    "after": "Two workers, and a fast one",
}

Span = tuple[int, str, float, float]  # line, kind, start and length in milliseconds


def spans_of(path: Path, begin: float) -> list[Span]:
    """What happened in a trace from `begin` on: line 0 is the program, the others are workers."""
    events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    events = [event for event in events if event["ph"] == "X"]
    program = next(event["pid"] for event in events if event["cat"] == "waiting")
    lines = {program: 0}
    spans: list[Span] = []
    free = 0.0
    for event in events:
        start, length = event["ts"] / 1000 - begin, event["dur"] / 1000
        kind = event["cat"] if event["cat"] == "waiting" else STAGES.get(event["name"], event["name"])
        if kind not in KINDS or start + length < 0 or start > MILLISECONDS:
            continue
        if kind == "waiting":
            spans += [(0, "step", free, start - free), (0, kind, start, length)]
            free = start + length
        elif event["pid"] != program:
            spans.append((lines.setdefault(event["pid"], len(lines)), kind, start, length))
    return [clipped(span) for span in spans]


def clipped(span: Span) -> Span:
    """The part of a span that is shown."""
    line, kind, start, length = span
    first, last = max(start, 0), min(start + length, MILLISECONDS)
    return line, kind, round(first, 1), round(max(last - first, 0), 1)


class Timelines:
    """The model and its workers, before and after, one below the other."""

    def __init__(self) -> None:
        """Reads what is kept of the traces."""
        self._traces: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))

    def write(self, path: Path) -> None:
        """Writes them as SVG."""
        parts: list[str] = []
        y = 0
        for name, spans in self._traces.items():
            y = self._panel(parts, y, TITLES[name], spans)
        y = self._legend(parts, y + 6)
        words = "What a model and its workers do in 600 milliseconds, before and after"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" '
            f'height="{y}" role="img" font-family="{FONT}">'
        )
        lines = [head, f"<title>{escape(words)}</title>", _style(), *parts, "</svg>"]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")

    def _panel(self, parts: list[str], top: int, title: str, spans: list[Span]) -> int:
        """Draws one of them, and returns where it ends."""
        parts.append(_text(0, top + 18, title, "ink", 14, bold=True))
        count = 1 + max(span[0] for span in spans)
        scale = (WIDTH - LEFT) / MILLISECONDS
        first = top + 30
        for line in range(count):
            name = f"worker {line}" if line else "the model"
            parts.append(_text(0, first + STEP * line + 13, name, "soft", 12))
        for kind in KINDS:
            path = "".join(
                f"M{LEFT + scale * start:.1f} {first + STEP * line}h{max(scale * length, 0.2):.1f}"
                f"v17h-{max(scale * length, 0.2):.1f}z"
                for line, of_kind, start, length in spans
                if of_kind == kind and length > 0
            )
            if path:
                parts.append(f'<path class="{kind}" d="{path}"/>')
        end = first + STEP * count
        for mark in range(0, MILLISECONDS + 1, 200):
            anchor = "end" if mark == MILLISECONDS else "middle" if mark else "start"
            unit = " ms" if mark == MILLISECONDS else ""
            parts.append(_text(LEFT + scale * mark, end + 10, f"{mark}{unit}", "soft", 11, anchor))
        return end + 18

    def _legend(self, parts: list[str], top: int) -> int:
        """Draws what the colours mean, and returns where it ends."""
        for number, (kind, (_, _, words)) in enumerate(KINDS.items()):
            x, y = 118 * (number % 3), top + 20 * (number // 3)
            parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="13" height="13" rx="2"/>')
            parts.append(_text(x + 19, y + 11, words, "ink", 12))
        return top + 40


def _style() -> str:
    light = "\n".join(f".{kind} {{fill: {colours[0]}}}" for kind, colours in KINDS.items())
    dark = "\n".join(f".{kind} {{fill: {colours[1]}}}" for kind, colours in KINDS.items())
    return (
        f"<style>\n.ink {{fill: #1f2328}}\n.soft {{fill: #59636e}}\n{light}\n"
        f"@media (prefers-color-scheme: dark) {{\n.ink {{fill: #e6edf3}}\n.soft {{fill: #9da7b1}}\n"
        f"{dark}\n}}\n</style>"
    )


def _text(x: float, y: float, words: str, kind: str, size: int, anchor: str = "start",
          bold: bool = False) -> str:  # fmt: skip
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text class="{kind}" x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}"{weight}>'
        f"{escape(words)}</text>"
    )


def main() -> None:
    """Keeps the parts of two traces."""
    before, begin, after, later = sys.argv[1:]
    kept = {
        "before": spans_of(Path(before), float(begin)),
        "after": spans_of(Path(after), float(later)),
    }
    lines = [f'"{name}": {json.dumps(spans)}' for name, spans in kept.items()]
    KEPT.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
