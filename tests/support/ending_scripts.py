"""Programs as users write them, without a `__main__` guard, and what becomes of their workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

PRELUDE = """
import gc, json, os, signal, sys, threading, warnings
import psutil
from imageloom import ImageDataGenerator

# Whoever started the tests may have switched Ctrl-C off for all that comes.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Newer Pythons warn of any fork beside threads; here it is on purpose.
warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
FOLDER = os.environ["CROPS"]
SIGNALS = os.environ["SIGNALS"]
FLOW = dict(target_size=(24, 24), batch_size=4, seed=11)

def tell(**what):
    print("TOLD " + json.dumps(what), flush=True)

def workers():
    return sorted(child.pid for child in psutil.Process().children())

def hold_on(x, files_before=1, **named):
    \"\"\"A hook that stops for ever, and says so, once some files have been seen.\"\"\"
    seen = os.path.join(SIGNALS, "seen")
    with open(seen, "a") as file:
        file.write("x")
    if os.path.getsize(seen) > files_before:
        open(os.path.join(SIGNALS, "held"), "w").close()
        threading.Event().wait(120)
    return x
"""


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
    code: str,
    folder: Path,
    crops: Path,
    *,
    environment: Mapping[str, str] | None = None,
    command_line: bool = False,
) -> Iterator[Program]:
    """Runs a program in a session of its own, and ends what is left of it."""
    script = folder / "script.py"
    script.write_text(PRELUDE + code, encoding="utf-8")
    what = ["-c", PRELUDE + code] if command_line else [str(script)]
    process = subprocess.Popen(
        [sys.executable, *what],
        cwd=folder,
        env={
            **os.environ,
            "CROPS": str(crops),
            "SIGNALS": str(folder),
            **(environment or {}),
        },
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
