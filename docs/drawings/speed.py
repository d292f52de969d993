"""The charts of speed on the first page and in README, drawn from `benchmarks/results`.

What was not measured is not drawn. Colours follow those of the reader's system.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
WIDTH, STEP, TOP = 288, 37, 62
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
STYLE = """<style>
.ink {fill: #1f2328}
.soft {fill: #59636e}
.ours {fill: #1a7f64}
.other {fill: #868f99}
@media (prefers-color-scheme: dark) {
.ink {fill: #e6edf3}
.soft {fill: #9da7b1}
.ours {fill: #2ea987}
.other {fill: #6b7580}
}
</style>"""


class Chart:
    """Horizontal bars, each below its name, in a drawing that is narrow enough for a phone."""

    def __init__(
        self, title: str, unit: str, bars: Sequence[tuple[str, float]], foot: str, sign: str = ""
    ) -> None:
        """Lays it out.

        Args:
            title: of the chart.
            unit: what the bars show.
            bars: names and values, the largest first. Those of imageloom have its colour.
            foot: when and on what it was measured.
            sign: what stands behind each value.
        """
        self.title, self.unit, self.bars, self.foot, self.sign = title, unit, bars, foot, sign

    def write(self, path: Path) -> None:
        """Writes it as SVG."""
        height = TOP + STEP * len(self.bars) + 10
        words = f"{self.title}, {self.unit}: " + ", ".join(
            f"{name} {self._shown(value)}" for name, value in self.bars
        )
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" font-family="{FONT}">',
            f"<title>{escape(words)}</title>",
            STYLE,
            _text(0, 17, self.title, "ink", 16, bold=True),
            _text(0, 35, self.unit, "soft", 12),
        ]
        most = max(value for _, value in self.bars)
        for number, (name, value) in enumerate(self.bars):
            y = TOP + STEP * number
            length = max(2.0, (WIDTH - 58) * value / most)
            ours = name.startswith("imageloom")
            parts += [
                _text(0, y, name, "ink", 12.5, bold=ours),
                f'<rect class="{"ours" if ours else "other"}" x="0" y="{y + 5}" width="{length:.1f}" '
                'height="13" rx="2"/>',
                _text(length + 6, y + 16, self._shown(value), "ink", 12.5, bold=ours),
            ]
        parts += [_text(0, height - 4, self.foot, "soft", 11), "</svg>"]
        path.write_text("\n".join(parts) + "\n", encoding="utf-8", newline="\n")

    def _shown(self, value: float) -> str:
        return f"{round(value):,}{self.sign}"


def _text(x: float, y: float, words: str, kind: str, size: float, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:.1f}" y="{y:g}" font-size="{size:g}"{weight}'
    return f'<text class="{kind}" {place}>{escape(words)}</text>'


def record(name: str) -> dict[str, Any]:
    """The results of a benchmark."""
    kept: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return kept


def two_cores() -> Chart:
    """All libraries, side by side."""
    kept = record("comparison")
    found = kept["workloads"]["photographs"]["summary"]
    names = {
        "imageloom": "imageloom",
        "torch": "torch DataLoader + albumentations",
        "tfdata": "tf.data + Keras layers",
        "keras": "Keras ImageDataGenerator",
    }
    bars = sorted(((name, found[peer]["first"]) for peer, name in names.items()), key=_largest_first)
    machine = kept["machine"]
    foot = f"{machine['processor']}, {kept['date'][:10]}, all in one run"
    return Chart(f"{machine['cores']} cores", "photographs a second, first epoch", bars, foot)


def sixteen_cores() -> Chart:
    """Where there is a processor for each of many workers."""
    kept = record("sixteen_cores")
    found = kept["images_per_second"]
    names = {
        "imageloom, 16 processes": "imageloom",
        "imageloom, 8 processes": "imageloom, 8 of the cores",
        "torch DataLoader, 16 workers": "torch DataLoader + albumentations",
        "imageloom, 1 process": "imageloom, 1 of the cores",
    }
    bars = sorted(((name, found[which]) for which, name in names.items()), key=_largest_first)
    foot = f"the {kept['machine']['device']}'s machine, {kept['date']}"
    return Chart(f"{kept['machine']['cores']} cores", "photographs a second, first epoch", bars, foot)


def gpu() -> Chart:
    """How much of its time a GPU trains, instead of waiting."""
    kept, earlier = record("gpu"), record("sixteen_cores")["training"]
    found = kept["images_per_second"]["torch"]
    bars = [
        ("imageloom, from the cache", found["cache, device"] / found["there already"]),
        (
            "imageloom, last steps on the GPU",
            found["first epoch, finish on the device"] / found["there already"],
        ),
        ("imageloom, first epoch", found["first epoch, device"] / found["there already"]),
        (
            "torch DataLoader, measured before",
            earlier["torch DataLoader, pinned memory"] / earlier["there already"],
        ),
    ]
    device = kept["devices"]["torch"].removeprefix("NVIDIA ")
    foot = f"ResNet-50, bfloat16, {kept['machine']['cores']} cores, {kept['date'][:10]}"
    shown = [(name, 100 * share) for name, share in bars]
    return Chart(f"GPU: {device}", "of the rate without any waiting for data", shown, foot, " %")


def _largest_first(bar: tuple[str, float]) -> float:
    return -bar[1]


CHARTS = {"speed-2-cores": two_cores, "speed-16-cores": sixteen_cores, "speed-gpu": gpu}
