"""Ratios that other load on the machine disturbs little, and what became of them since."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Run = Mapping[str, Any]


def shares(
    runs: Sequence[Run], base_of: Mapping[str, str], rate: Callable[[Run], float | None]
) -> dict[str, float]:
    """Return each case's rate as a share of its base's, the medians of its runs.

    Args:
        runs: In the order in which they were made; "case" is the name. Of the runs of a base before and
            after a run, the rate that it had at the time of the run is computed, because other load
            comes and goes.
        base_of: The name of the case that another is compared with.
        rate: Returns a run's rate; runs without one are left out.
    """
    rates = [(number, run["case"], rate(run)) for number, run in enumerate(runs)]
    there = [(number, name, value) for number, name, value in rates if value is not None]
    found = {}
    for name, base in base_of.items():
        points = [(number, value) for number, other, value in there if other == base]
        own = [(number, value) for number, other, value in there if other == name]
        if points and own:
            found[name] = statistics.median(
                value / float(np.interp(number, *zip(*points, strict=True))) for number, value in own
            )
    return found


def fallen(
    committed: Mapping[str, float], now: Mapping[str, float], tolerance: float
) -> dict[str, tuple[float, float]]:
    """Return the ratios, then and now, that fell by more than a share of what they were."""
    both = committed.keys() & now.keys()
    return {
        name: (committed[name], now[name])
        for name in sorted(both)
        if now[name] < (1 - tolerance) * committed[name]
    }
