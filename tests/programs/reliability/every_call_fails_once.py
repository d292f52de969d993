"""Runs a scenario again and again, each time with another call of the system that fails.

After each, there was an ImageLoomError or the right batches, nothing is left, and the same program
gives the right batches if it tries again. Arguments, as JSON: the scenario, the executor, where calls
fail ("program" or "workers"), a seed, how many of the failures are tried (null for all), and
whether all later calls of the kind fail, too.
"""

import contextlib
import gc
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections import Counter
from pathlib import Path

import failing_calls
import psutil
from failing_calls import CALLS, ERRORS, Fault
from failing_scenarios import SCENARIOS, write_images

from imageloom import ImageDataGenerator, ImageLoomError
from imageloom._api import engine
from imageloom._executors.program import end_idle_workers
from imageloom._storage.atomic import DRAFT_PREFIX

SECONDS = 60  # for one run
WITH_CHILDREN = json.loads(sys.argv[2]) == "processes"
PACKAGE = str(Path(engine.__file__).parents[1])
engine._may_compute_here = lambda *_: False
warnings.simplefilter("ignore")
warnings.simplefilter("error", ResourceWarning)
LOUD = []  # errors that nobody could catch
sys.unraisablehook = lambda what: LOUD.append(f"{what.exc_value!r} in {what.object!r}")
threading.excepthook = lambda what: LOUD.append(f"{what.exc_value!r} in {what.thread!r}")


def held():
    """What this process has: descriptors, mappings, children and threads."""
    there = Counter()
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{entry}")
            there[target.split("[")[0] if ":[" in target else target] += 1
    maps = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    there["mappings"] = sum("imageloom" in line and "(deleted)" in line for line in maps)
    there["children"] = len(psutil.Process().children(recursive=True)) if WITH_CHILDREN else 0
    there["threads"] = sum(thread.name.startswith("imageloom") for thread in threading.enumerate())
    return there


def left_since(before):
    for attempt in range(40):
        end_idle_workers()
        more = held() - before
        if not more:
            return ""
        gc.collect()
        threading.Event().wait(0.01 * attempt)
    return f"left: {dict(more)}"


def told(error):
    """An error, and the functions of the package that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    way = [f"{Path(f.filename).stem}:{f.lineno} {f.name}" for f in frames if PACKAGE in f.filename]
    return f"{type(error).__name__}: {error} <- {' <- '.join(reversed(way))}"


class Runs:
    """Runs of one scenario, each in a folder of its own."""

    def __init__(self, folder, name, executor, where):
        self.folder, self.scenario, self.executor, self.where = folder, SCENARIOS[name], executor, where
        self.images = write_images(folder / "images")
        self.expected = self.run(self.fresh(), "serial")

    def fresh(self):
        """An empty place, also for the files of the library itself."""
        place = self.folder / "place"
        shutil.rmtree(place, ignore_errors=True)
        for name in ("", "temporary"):
            (place / name).mkdir()
        os.environ["IMAGELOOM_CACHE_DIR"] = str(place / "user")
        tempfile.tempdir = str(place / "temporary")
        return place

    def run(self, place, executor):
        def make(**options):
            return ImageDataGenerator(executor=executor, cores=1, max_batches_pending=2, **options)

        with contextlib.redirect_stdout(None):
            return self.scenario(self.images, place, make)

    def counts(self):
        """How many calls of each kind there are to fail."""
        for _ in range(2):  # some things are done in the first run only
            place = self.fresh()
            if self.where == "workers":
                with failing_calls.with_faults_in_workers(place, None):
                    assert self.run(place, self.executor) == self.expected
                    end_idle_workers()
                counts = failing_calls.worker_counts(place)
            else:
                with CALLS.watching():
                    assert self.run(place, self.executor) == self.expected
                    end_idle_workers()
                counts = Counter(CALLS.counts)
        return counts

    def with_fault(self, fault):
        """Runs once with a failing call, and once without; how it went, and what is wrong."""
        before, place = held(), self.fresh()
        wrong = []
        LOUD.clear()
        how = "right"
        signal.alarm(SECONDS)
        try:
            with contextlib.ExitStack() as stack:
                if self.where == "workers":
                    stack.enter_context(failing_calls.with_faults_in_workers(place, fault))
                else:
                    stack.enter_context(CALLS.watching(fault))
                if self.run(place, self.executor) != self.expected:
                    wrong.append("other batches")
                if self.executor == "processes":
                    end_idle_workers()
        except ImageLoomError as error:
            how = type(error).__name__
            traceback.clear_frames(error.__traceback__)
        except BaseException as error:
            how = type(error).__name__
            wrong.append(told(error))
            traceback.clear_frames(error.__traceback__)
        signal.alarm(0)
        fired = CALLS.fired or (place / "fired").exists()
        wrong += [left_since(before), *(f"unraisable: {text}" for text in LOUD)]
        if not fault.lasting:
            wrong += [f"left: {path.name}" for path in place.rglob(f"{DRAFT_PREFIX}*")]
            wrong += [f"left: {path.name}" for path in (place / "temporary").iterdir()]
        signal.alarm(SECONDS)
        try:
            if self.run(place, self.executor) != self.expected:
                wrong.append("other batches in the run afterwards")
        except BaseException as error:
            wrong.append(f"afterwards: {told(error)}")
        end_idle_workers()
        signal.alarm(0)
        return how if fired else "not reached", [text for text in wrong if text]


def over(*_):
    raise TimeoutError(f"more than {SECONDS} seconds")


def sample(faults, seed, most):
    """Some of the faults, of each kind as many if there are so many."""
    random.Random(seed).shuffle(faults)
    seen = Counter()
    ranks = {}
    for fault in faults:
        seen[fault.kind] += 1
        ranks[fault] = seen[fault.kind]
    return sorted(faults, key=ranks.__getitem__)[:most]


def main(name, executor, where, seed, most, lasting):
    """Prints a line of JSON with the counts of calls, failures and outcomes, and what is wrong."""
    signal.signal(signal.SIGALRM, over)
    failing_calls.install()
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(Path(folder), name, executor, where)
        counts = runs.counts()
        gc.freeze()  # what is there by now need not be looked at again and again
        faults = [
            Fault(kind, number, code, lasting)
            for kind, count in sorted(counts.items())
            for number in range(1, count + 1)
            for code in ERRORS[kind]
        ]
        chosen = sample(faults, seed, most)
        outcomes, defects = Counter(), []
        for fault in chosen:
            how, wrong = runs.with_fault(fault)
            outcomes[how] += 1
            defects += [f"{fault}: {text}" for text in wrong]
            for text in wrong:
                print(fault, how, text, file=sys.stderr, flush=True)
    result = {"calls": counts, "failures": len(chosen), "outcomes": outcomes, "defects": defects}
    print("RESULT", json.dumps(result), flush=True)


if __name__ == "__main__":
    main(*map(json.loads, sys.argv[1:]))
