"""Programs as users write them, without a `__main__` guard, and what becomes of their workers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from programs import PROGRAMS, environment_of


@dataclass
class Program:
    """A running program.

    Attributes:
        workers: its worker processes, as far as it has told of them.
    """

    process: subprocess.Popen[str]
    workers: list[psutil.Process] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)

    def hear(self) -> dict[str, Any]:
        """What the program tells next; workers are looked up at once, while they live."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("TOLD "):
                told: dict[str, Any] = json.loads(line.removeprefix("TOLD "))
                self._note(told)
                return told
        raise AssertionError(f"the program ended early:\n{self.finish()}")

    def _note(self, told: dict[str, Any]) -> None:
        self.told.append(told)
        for pid in told.get("workers", ()):
            with suppress(psutil.NoSuchProcess):
                self.workers.append(psutil.Process(pid))

    def finish(self, seconds: float = 60) -> str:
        """Waits for the end, without reading what workers may still hold open; its errors."""
        self.process.wait(seconds)
        gone_late = self.workers_left(2)
        assert not gone_late, f"2 seconds after the end these still run: {gone_late}"
        # All who could write have gone, so this cannot block.
        rest, errors = self.process.communicate(timeout=10)
        for line in rest.splitlines():
            if line.startswith("TOLD "):
                self._note(json.loads(line.removeprefix("TOLD ")))
        return errors

    def workers_left(self, seconds: float) -> list[psutil.Process]:
        """Workers that still run after so many seconds; less if they all end before."""
        _, alive = psutil.wait_procs(self.workers, timeout=seconds)
        return [process for process in alive if _runs(process)]


def _runs(process: psutil.Process) -> bool:
    try:
        # An orphan may wait to be collected by the first process, long dead.
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@contextmanager
def running(
    name: str,
    folder: Path,
    crops: Path,
    *,
    arguments: Sequence[Any] = (),
    environment: Mapping[str, str] | None = None,
    command_line: bool = False,
) -> Iterator[Program]:
    """Runs a program of tests/programs in a session of its own, and ends what is left of it.

    On the command line it is its text that runs, as users of `python -c` have it.
    """
    what = ["-c", (PROGRAMS / name).read_text("utf-8")] if command_line else [str(PROGRAMS / name)]
    process = subprocess.Popen(
        [sys.executable, *what, *map(json.dumps, arguments)],
        cwd=folder,
        env=environment_of({"CROPS": str(crops), "SIGNALS": str(folder), **(environment or {})}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    program = Program(process)
    try:
        yield program
    finally:
        process.kill()
        for left in program.workers:
            with suppress(psutil.NoSuchProcess):
                left.kill()
        process.wait(10)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
