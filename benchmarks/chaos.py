"""Kills, stops and changes the number of workers at random, and compares every byte with serial.

Workers are killed (SIGKILL), crash (SIGSEGV), are stopped for a moment or for good (SIGSTOP, with a
`batch_timeout`), and the stream is handed over to iterators with other numbers of workers. At the end
nothing may be left. The program prints how often each thing was done; its status is 1 if a batch was
not that of the serial executor::

    python benchmarks/chaos.py                            1,000 events, of a random seed
    python benchmarks/chaos.py --events 200 --seed 7      the events of a run, once more
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from real_images import write_photographs

from imageloom import BatchTimeoutError, ImageDataGenerator, WorkerStartError
from imageloom._api import engine
from imageloom._executors.program import end_idle_workers

engine._may_compute_here = lambda *_: False  # so few images would never reach a worker
BATCH = 4
TIMEOUT = 2.0
ATTEMPTS = 20
# How often each thing is done, in relation to the others.
EVENTS = {"kill": 40, "crash": 20, "stop": 25, "stop for good": 4, "resize": 11}
AUGMENTATION: dict[str, Any] = {"rotation_range": 20, "zoom_range": 0.2, "horizontal_flip": True}


def workers() -> list[psutil.Process]:
    """Return the running workers."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def open_flow(folder: Path, executor: str, cores: int, timeout: float | None) -> Any:
    """Return an iterator over the images."""
    generator = ImageDataGenerator(
        executor=executor, cores=cores, batch_timeout=timeout, max_batches_pending=4, **AUGMENTATION
    )
    with contextlib.redirect_stdout(None):
        return generator.flow_from_directory(folder, (48, 48), batch_size=BATCH, seed=5)


class Chaos:
    """An iterator whose workers do not live long."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.position = 0
        self._folder = folder
        self._random = random.Random(seed)
        self._right = open_flow(folder, "serial", 1, None)
        self._timeout: float | None = None
        self._it = self._opened()
        self._timers: list[threading.Timer] = []

    def _opened(self) -> Any:
        cores = self._random.randint(1, max(2, psutil.cpu_count() or 1))
        self._timeout = self._random.choice([None, TIMEOUT])
        return open_flow(self._folder, "processes", min(cores, 4), self._timeout)

    def event(self) -> None:
        """Do something to a worker, and read some batches."""
        kind = self._random.choices(list(EVENTS), list(EVENTS.values()))[0]
        if kind == "stop for good" and self._timeout is None:
            kind = "stop"  # without a limit, nobody may expect an end
        if kind == "resize":
            self._resize()
        elif victims := self._victims():
            self._hurt(self._random.choice(victims), kind)
        else:
            kind = "no worker"
        self.done[kind] += 1
        for _ in range(self._random.randint(1, 3)):
            self._read()

    def _victims(self) -> list[psutil.Process]:
        """Return the workers, as soon as there are any."""
        for _ in range(100):
            if found := workers():
                return found
            self._read()
        return []

    def _hurt(self, victim: psutil.Process, kind: str) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            if kind == "kill":
                victim.kill()
            elif kind == "crash":
                victim.send_signal(signal.SIGSEGV)
            else:
                victim.suspend()
                if kind == "stop":
                    self._resume_later(victim, self._random.uniform(0.0, 0.2))

    def _resume_later(self, victim: psutil.Process, seconds: float) -> None:
        def resume() -> None:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.resume()

        timer = threading.Timer(seconds, resume)
        self._timers = [*(t for t in self._timers if t.is_alive()), timer]
        timer.start()

    def _resize(self) -> None:
        state = self._it.state_dict()
        self._it.close()
        self._it = self._opened()
        self._it.load_state_dict(state)

    def _read(self) -> None:
        index = self.position % len(self._right)
        batch = self._asked(index)
        for part, right in zip(batch, self._right[index], strict=True):
            if part.dtype != right.dtype or not np.array_equal(part, right):
                self.wrong.append(f"other bytes at position {self.position}")
        self.done["batches"] += 1
        self.position += 1
        if self.position % len(self._right) == 0:
            self._right.on_epoch_end()
            self._it.on_epoch_end()

    def _asked(self, index: int) -> Any:
        """Return a batch, asked for again if a worker was stopped for too long or none started."""
        for _ in range(ATTEMPTS):
            try:
                return self._it[index]
            except BatchTimeoutError:
                self.done["timeouts"] += 1
            except WorkerStartError:  # three in a row were hurt before they were ready
                self.done["failed starts"] += 1
                self._resize()
        raise TimeoutError(f"position {self.position} was asked for {ATTEMPTS} times in vain")

    def close(self) -> None:
        """End everything, and note what is left."""
        for timer in self._timers:
            timer.join()
        self._it.close()
        self._right.close()
        end_idle_workers()
        left = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=5)[1]
        self.wrong += [f"left: {process}" for process in left]


def main() -> int:
    """Run with the arguments of the command line; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    if os.name != "posix":
        parser.error("needs signals")
    _dump_no_cores()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}")
    status = 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        chaos = Chaos(write_photographs(Path(folder) / "images", options.images), seed)
        try:
            for _ in tqdm(range(options.events), desc="Events", unit="event", disable=None):
                chaos.event()
        except KeyboardInterrupt:
            status = 130
        finally:
            chaos.close()
    for line in chaos.wrong:
        print(f"WRONG {line}")
    print(", ".join(f"{count:,} x {what}" for what, count in sorted(chaos.done.items())))
    return 1 if chaos.wrong else status


def _dump_no_cores() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


if __name__ == "__main__":
    sys.exit(main())
