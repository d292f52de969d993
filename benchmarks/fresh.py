"""Run a measurement in a new process, whose result is one line of JSON.

A new process for each run means that no candidate sees the threads, memory or caches of another.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

# The parent process finds the result by this prefix, as libraries may print other lines.
_PREFIX = "RESULT "


class RunFailed(Exception):
    """A run ended without a result."""


def tell(result: Any) -> None:
    """Print the result of this process, for `result_of` in the parent process."""
    print(_PREFIX + json.dumps(result), flush=True)


def result_of(
    command: Sequence[str], timeout: float = 600.0, environment: Mapping[str, str] | None = None
) -> Any:
    """Run a command in a new process, and return what it tells; a longer run has hung."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=None if environment is None else {**os.environ, **environment},
        # A new process group, so that its workers can be ended together with it.
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"no result within {timeout:.0f} s") from error
    finally:
        _end_group(process)
    for line in output.splitlines():
        if line.startswith(_PREFIX):
            return json.loads(line.removeprefix(_PREFIX))
    raise RunFailed(_reason(process.returncode, errors))


def _end_group(process: subprocess.Popen[str]) -> None:
    """End the remaining processes of a run's group, also after a time-out or Ctrl-C."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _reason(status: int, errors: str) -> str:
    """Return why a run failed: its last line of standard error, normally the exception."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return lines[-1] if lines else f"ended with status {status} and no result"
