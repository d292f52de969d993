"""Charts of speed: those of the first page and README, drawn from `benchmarks/results`.

What was not measured is not drawn.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drawing import Drawing

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
# Three of them stand side by side where GitHub shows README.
WIDTH, STEP, TOP = 270, 37, 62


class Chart:
    """Horizontal bars, each below its name, in a drawing that is narrow enough for a phone."""

    def __init__(
        self, title: str, unit: str, bars: Sequence[tuple[str, float]], foot: str, sign: str = "",
        *, width: float = WIDTH, behind: Sequence[float] = (), pale: str = "",
    ) -> None:  # fmt: skip
        """Lays it out.

        Args:
            title: of the chart.
            unit: what the bars show.
            bars: names and values, the largest first. Those of imageloom have its colour.
            foot: when and on what it was measured.
            sign: what stands behind each value.
            width: of the drawing.
            behind: a longer value for each bar, which is pale and lies behind it.
            pale: how the name of a bar begins that is pale itself.
        """
        self.title, self.unit, self.bars, self.foot, self.sign = title, unit, bars, foot, sign
        self.behind, self._pale, self._width = behind, pale, width

    def drawing(self) -> Drawing:
        """Draws it."""
        height = TOP + STEP * len(self.bars) + 10
        words = ", ".join(f"{name} {self._shown(value)}" for name, value in self.bars)
        picture = Drawing(self._width, height, f"{self.title}, {self.unit}: {words}", ground=False)
        picture.text(0, 17, self.title, size=16, anchor="start", bold=True)
        picture.text(0, 35, self.unit, size=12, colour="grey", anchor="start")
        most = max(*(value for _, value in self.bars), *self.behind)
        room = self._width - (88 if self.behind else 58)
        for number, (name, value) in enumerate(self.bars):
            y = TOP + STEP * number
            length = max(2, round(room * value / most))
            ours = name.startswith("imageloom")
            pale = bool(self._pale) and name.startswith(self._pale)
            picture.text(0, y, name, size=12.5, anchor="start", bold=ours)
            end = length
            if self.behind:
                end = max(length, round(room * self.behind[number] / most))
                picture.area(0, y + 5, end, 13, "faint", rounded=2)
            colour = "first" if ours else "faint" if pale else "line"
            picture.area(0, y + 5, length, 13, colour, rounded=2)
            shown = self._shown(value)
            if self.behind:
                shown += f" of {self._shown(self.behind[number])}"
            picture.text(end + 6, y + 16, shown, size=12.5, anchor="start", bold=ours)
        picture.text(0, height - 4, self.foot, size=11, colour="grey", anchor="start")
        return picture

    def _shown(self, value: float) -> str:
        return f"{round(value):,}{self.sign}"


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
