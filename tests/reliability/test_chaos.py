"""Workers that are killed, that crash and are stopped at random, while their number changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).resolve().parents[2] / "benchmarks" / "chaos.py"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals")


def chaos(events: int, seed: int, timeout: float) -> dict[str, int]:
    """How often each thing was done."""
    done = subprocess.run(
        [sys.executable, str(CHAOS), "--events", str(events), "--seed", str(seed)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    last = done.stdout.splitlines()[-1]
    return {
        what: int(count.replace(",", "")) for count, what in re.findall(r"([\d,]+) x ([a-z ]+)", last)
    }


@pytest.mark.slow
def test_some_kills_and_stops_change_no_byte() -> None:
    counts = chaos(12, seed=1, timeout=110)
    assert counts["batches"] >= 12


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_thousand_kills_stops_and_resizes_change_no_byte() -> None:
    counts = chaos(1000, seed=20261126, timeout=7200)
    assert sum(counts[what] for what in ("kill", "crash", "stop", "stop for good", "resize")) >= 950
