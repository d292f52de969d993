"""A thread reads all the time, so that any lock may be held when the program forks.

The arguments: the executor, how to fork, and how often for each thing that a child does.
"""

import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time

from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

EXECUTOR, WAY, TIMES = ARGUMENTS
SECONDS = 20  # after which a child hangs
generator = ImageDataGenerator(executor=EXECUTOR, cores=2, rotation_range=20)
it = generator.flow_from_directory(FOLDER, **FLOW)
unread = generator.flow_from_directory(FOLDER, **FLOW)
held = next(it)
reads, errors, reading = [], [], threading.Event()


def read():
    try:
        while not reading.is_set():
            reads.append(next(it)[0].sum())
    except BaseException as error:
        errors.append(repr(error))


def let_go():
    for name in ("it", "held", "unread"):
        del globals()[name]
    gc.collect()


def close():
    it.close()


def read_in_the_child(iterator):
    assert next(iterator)[0].shape == (4, 24, 24, 3)


def make_another():
    fresh = ImageDataGenerator(executor=EXECUTOR if EXECUTOR != "ray" else "serial", cores=1)
    another = fresh.flow_from_directory(FOLDER, **FLOW)
    read_in_the_child(another)
    another.close()


def refused(ask):
    try:
        ask()
    except RuntimeError as error:
        said = str(error)
    else:
        said = "nothing"
    assert "forked child" in said, said


def change():
    it.batch_size = 3
    it.on_epoch_end()
    it.reset()


DEEDS = {
    "nothing": lambda: None,
    "next": lambda: refused(lambda: next(it)),
    "by number": lambda: refused(lambda: it[3]),
    "close": close,
    "let go": let_go,
    "look": lambda: (len(it), it.index_array, it.batch_index, it.report(), it.state_dict()),
    "change": change,
    "another": make_another,
    "another of the generator": lambda: read_in_the_child(
        generator.flow_from_directory(FOLDER, **FLOW)
    ),
    "unread": lambda: read_in_the_child(unread),
    "with": lambda: it.__exit__(None, None, None),
}


def fork(deed):
    child = os.fork()
    if child == 0:
        deed()
        sys.exit(7)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hangs"


def with_multiprocessing(deed):
    def target():
        deed()
        sys.exit(7)

    child = multiprocessing.get_context("fork").Process(target=target)
    child.start()
    child.join(SECONDS)
    if child.exitcode is None:
        child.kill()
        return "hangs"
    return child.exitcode


def with_preexec(deed):
    command = [sys.executable, "-S", "-c", "raise SystemExit(7)"]
    with subprocess.Popen(command, preexec_fn=deed) as child:  # noqa: PLW1509 - for this
        try:
            return child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            return "hangs"


fork_by = {"fork": fork, "multiprocessing": with_multiprocessing, "preexec_fn": with_preexec}[WAY]
thread = threading.Thread(target=read)
thread.start()
while len(reads) < 5 and not errors:
    time.sleep(0.01)
before = workers()
tell(workers=before)
ends = {name: [fork_by(deed) for _ in range(TIMES)] for name, deed in DEEDS.items()}
seen = len(reads)
while len(reads) < seen + 3 and not errors:
    time.sleep(0.01)
undisturbed = workers() == before
reading.set()
thread.join()
it.close()
serial = ImageDataGenerator(executor="serial", rotation_range=20).flow_from_directory(FOLDER, **FLOW)
next(serial)
same = reads[:100] == [next(serial)[0].sum() for _ in reads[:100]]
wrong = {name: found for name, found in ends.items() if set(found) != {7}}
tell(wrong=wrong, errors=errors, undisturbed=undisturbed, same=bool(same))
