"""`benchmarks/gpu.py` is ready to run: everything in it runs here in a small form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.frameworks("torch", "jax", "keras")
@pytest.mark.skipif(not PROGRAM.exists(), reason="an unpacked distribution has no benchmarks")
def test_measures_every_feed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--tiny", "--results", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert set(found["devices"]) == {"torch", "jax"}
    for framework, feeds in (("torch", 9), ("jax", 4), ("keras", 3)):
        rates = found["images_per_second"][framework]
        assert len(rates) == feeds
        assert all(rate > 0 for rate in rates.values())
        assert all(feed in done.stdout for feed in rates)
