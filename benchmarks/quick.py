"""See in under five minutes, on two cores, whether something became slower.

Small forms of `origin.py`, `options.py` and `compare.py` run. Their ratios are compared with those of
the results in `benchmarks/results`, which are not changed; rates alone would only compare machines.
What fell by more than the tolerance is printed, and the status is then 1, as when a measurement
fails::

    python benchmarks/quick.py
    python benchmarks/quick.py --only options
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import compare
import options
import origin
import report
from machine import RESULTS, describe_machine, keep
from ratios import fallen
from workload import DATA, make_workload

# Short runs on two quiet cores differ by some 15 % from one another.
TOLERANCE = 0.25
_FEEDS = ("origin", "imageloom", "imageloom-cache")
_CASES = (
    options.PLAIN, "brightness", "noise poisson", "constant border", "float16", "uint8", "samplewise",
    "all together", "scaled 500x375",
)  # fmt: skip
_PEERS = ("imageloom", "imageloom-cache", "torch", "floor")


def run_origin() -> dict[str, Any]:
    """The original's example, and a training from it."""
    plan = origin.Plan(seconds=2.0, rounds=1)
    return origin.measure_all(_FEEDS, plan, ("generate", "train"))


def run_options() -> dict[str, Any]:
    """Options that were slow once, and those that many use."""
    return options.measure_all(_CASES, options.Plan(rounds=1))


def run_compare() -> dict[str, Any]:
    """The peers that start quickly."""
    records = {}
    for name in ("photographs", "cells"):
        workload = make_workload(name, 8000)  # as many, because the start of the workers counts
        records[name] = compare.record_of(workload, *compare.run_rounds(_PEERS, workload, 1))
    failures = {
        f"{n}, {peer}": why for n, one in records.items() for peer, why in one["failures"].items()
    }
    return {"workloads": records, "failures": failures}


def shares(record: Any) -> dict[str, float]:
    """Return the shares of plain; above 1 is noise, but for the options that make it faster."""
    found = options.ratios(record)
    return {
        name: share if name.startswith(("uint8", "scaled")) else min(share, 1.0)
        for name, share in found.items()
    }


PROGRAMS: dict[str, tuple[str, Callable[[], dict[str, Any]], Callable[[Any], dict[str, float]]]] = {
    "origin": ("origin", run_origin, origin.ratios),
    "options": ("options", run_options, shares),
    "compare": ("comparison", run_compare, lambda record: report.ratios(record["workloads"])),
}


def committed(name: str, ratios: Callable[[Any], dict[str, float]], folder: Path) -> dict[str, float]:
    """Return the ratios of the results that were kept; none if there are no results."""
    file = folder / f"{name}.json"
    return ratios(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def verdict(
    then: Mapping[str, float], now: Mapping[str, float], failures: Mapping[str, str], tolerance: float
) -> tuple[str, int]:
    """Return a table of all ratios with what is to be said about them, and the status."""
    slower = fallen(then, now, tolerance)
    rows = [("ratio", "committed", "now", "")]
    for name, value in now.items():
        before = f"{then[name]:.2f}" if name in then else ""
        rows.append((name, before, f"{value:.2f}", "FELL" if name in slower else ""))
    lines = [report.markdown(rows), ""]
    lines += [f"FAILED: {name}: {why}" for name, why in failures.items()]
    lines += [
        f"{name} fell from {before:.2f} to {after:.2f}" for name, (before, after) in slower.items()
    ]
    if not then.keys() & now.keys():
        failures = {**failures, "all": "nothing to compare with"}
        lines.append("FAILED: there are no committed ratios to compare with")
    if not slower and not failures:
        lines.append(f"No ratio fell by more than {tolerance:.0%}.")
    return "\n".join(lines), int(bool(slower or failures))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and compare; the status is 0 if nothing fell and nothing failed."""
    parser = argparse.ArgumentParser(description="See whether something became slower.")
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="default: %(default)s")
    parser.add_argument("--committed", type=Path, default=RESULTS, help="folder of the results")
    chosen = parser.parse_args(arguments)
    begun, machine = time.monotonic(), describe_machine()
    then: dict[str, float] = {}
    now: dict[str, float] = {}
    failures: dict[str, str] = {}
    for program in chosen.only:
        name, run, ratios = PROGRAMS[program]
        record = run()
        then |= committed(name, ratios, chosen.committed)
        now |= ratios(record)
        failures |= record["failures"]
    text, status = verdict(then, now, failures, chosen.tolerance)
    print(text)
    print(f"{time.monotonic() - begun:.0f} s on {machine['cores']} cores, {machine['processor']}")
    if float(machine["load_before"]) > 0.5 * float(machine["cores"]):
        print(
            f"Other programs were at work (load {machine['load_before']}): measure again without them."
        )
    keep("quick", {"committed": then, "now": now, "failures": failures}, DATA)
    return status


if __name__ == "__main__":
    sys.exit(main())
