"""How tests run the programs of tests/programs, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROGRAMS: Final = Path(__file__).resolve().parents[1] / "programs"


def environment_of(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of a program, which finds what programs share, and what tests share."""
    environment = {**os.environ, **(more or {})}
    path = (str(PROGRAMS), str(Path(__file__).parent), environment.get("PYTHONPATH"))
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def run_program(
    name: str,
    *arguments: object,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = 100,
) -> subprocess.CompletedProcess[str]:
    """Runs a program, and returns what it printed."""
    return subprocess.run(
        [sys.executable, str(PROGRAMS / name), *map(str, arguments)],
        cwd=cwd,
        env=environment_of(environment),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
