"""The charts of docs/performance.md, drawn from `benchmarks/results`.

Those of bars stand side by side in pairs, and those of growth in threes; on a phone, all of them
stand one below the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from drawing import Drawing
from speed import Chart, record

WIDE = 360  # the column of a phone
NARROW, HIGH = 270, 176
KINDS = {"photographs": "Photographs", "cells": "Grey pictures"}
EPOCHS = {"first": "first epoch", "later": "best later epoch"}


def comparison(workload: str, epoch: str) -> Chart:
    """All libraries, side by side."""
    kept = record("comparison")
    found = kept["workloads"][workload]["summary"].values()
    bars = [(one["label"], one[epoch]) for one in found if one[epoch] is not None]
    if epoch == "later":  # what only decodes has no epochs
        bars = [(name, value) for name, value in bars if not name.startswith("floor")]
    bars.sort(key=lambda bar: -bar[1])
    title = f"{KINDS[workload]}, {EPOCHS[epoch]}"
    return Chart(title, "images a second, medians", bars, _foot(kept), width=WIDE, pale="floor")


def training(backend: str, title: str) -> Chart:
    """What a model is fed with while it trains, and how fast it would be without waiting."""
    kept = record("end_to_end")
    feeds = kept["medians"][backend]
    bars = [(name, one["images_per_second"]) for name, one in feeds.items()]
    free = [one["without_waiting"] for one in feeds.values()]
    unit = "images a second; pale: with batches that are there"
    return Chart(f"Keras on {title}", unit, bars, _foot(kept), width=WIDE, behind=free)


def growth(number: int) -> Drawing:
    """The rate by one quantity; the points stand at equal distances, whatever the quantity."""
    curve: dict[str, Any] = record("growth")["curves"][number]
    points = list(curve["rates"].items())
    words = ", ".join(f"{int(point):,}: {rate:,.0f}" for point, rate in points)
    picture = Drawing(NARROW, HIGH, f"Images a second by {curve['unit']}: {words}", ground=False)
    picture.text(0, 17, f"by {curve['name']}", size=16, anchor="start", bold=True)
    picture.text(0, 35, "images a second", size=12, colour="grey", anchor="start")
    left, right, top, bottom = 26, NARROW - 28, 62, 136
    most = max(curve["rates"].values())
    places = [
        (
            round(left + (right - left) * place / (len(points) - 1)),
            round(bottom - (bottom - top) * rate / most),
        )
        for place, (_, rate) in enumerate(points)
    ]
    picture.line((0, bottom), (NARROW, bottom), colour="faint")
    picture.line(*places, colour="first", width=2)
    for (x, y), (point, rate) in zip(places, points, strict=True):
        picture.dot(x, y, 4, "first")
        picture.text(x, y - 9, f"{rate:,.0f}", size=11.5)
        picture.text(x, bottom + 16, f"{int(point):,}", size=11.5, colour="grey")
    picture.text(NARROW / 2, HIGH - 6, curve["unit"], size=12, colour="grey")
    return picture


def _foot(kept: dict[str, Any]) -> str:
    machine = kept["machine"]
    return f"{machine['processor']}, {machine['cores']} cores, {kept['date'][:10]}"


CHARTS: dict[str, Callable[[], Chart]] = {
    **{
        f"rates-{workload}-{epoch}": partial(comparison, workload, epoch)
        for workload in KINDS
        for epoch in EPOCHS
    },
    "training-jax": partial(training, "jax", "JAX"),
    "training-tensorflow": partial(training, "tensorflow", "TensorFlow"),
}
# In the order of the file.
GROWTH = ("workers", "image-size", "batch-size", "classes", "files")
