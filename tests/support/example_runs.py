"""Runs the programs and notebooks of examples/."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
from executor_support import wait_for

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MARK = "IMAGELOOM_EXAMPLE_RUN"
SECONDS = 280


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """What a command printed, when all processes that it has started are gone."""
    mark = uuid.uuid4().hex
    environment = {**os.environ, MARK: mark, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    wait_for(lambda: not processes_with(mark), "the processes of the example to end")
    return done


def processes_with(mark: str) -> list[int]:
    found = psutil.process_iter(["pid", "environ"])
    return [p.info["pid"] for p in found if (p.info["environ"] or {}).get(MARK) == mark]
