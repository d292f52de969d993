"""Rarer ends: Ctrl-C at bad moments, exits without clean-up, many iterators, threads, notebooks."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ending_scripts import Program, running
from executor_support import wait_for

TRACEBACK = "Traceback (most recent call last)"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork as in POSIX")

HELD = """
generator = ImageDataGenerator(cores=1, preprocessing_function=lambda x: hold_on(x, 4))
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())
"""
# As the terminal does it, once a thread sees that `it` is being closed, which takes half a second
# because its worker is held.
CTRL_C_IN_CLOSE = """
os.setpgid(0, 0) if os.getpgid(0) != os.getpid() else None

def press(it=it):
    while not it.is_shutdown:
        threading.Event().wait(0.001)
    os.killpg(os.getpgid(0), signal.SIGINT)

def when_held():
    while not os.path.exists(os.path.join(SIGNALS, "held")):
        threading.Event().wait(0.001)

when_held()
"""


@contextmanager
def leaving_no_file(code: str, folder: Path, crops: Path) -> Iterator[Program]:
    """Runs a program whose temporary files would be found afterwards."""
    temporary = folder / "temporary"
    temporary.mkdir()
    with running(code, folder, crops, environment={"TMPDIR": str(temporary)}) as program:
        yield program
    assert list(temporary.iterdir()) == []


def end_within_5_seconds(program: Program) -> str:
    """The errors of a program that is about to end; `finish` looks for its workers, too."""
    return program.finish(5)


def assert_one_keyboard_interrupt(program: Program, errors: str) -> None:
    assert errors.count(TRACEBACK) == 1, errors
    assert errors.count("KeyboardInterrupt") == 1, errors
    assert errors.strip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in errors
    assert program.process.returncode == -signal.SIGINT


# Ctrl-C


@posix_only
@pytest.mark.parametrize("iterators", [1, 2], ids=["one", "two"])
def test_ctrl_c_to_the_group_while_workers_start(crops: Path, tmp_path: Path, iterators: int) -> None:
    code = f"""
flows = [
    ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW) for _ in range({iterators})
]

def press():
    while len(workers()) < 1:
        threading.Event().wait(0.001)
    tell(workers=workers())
    os.killpg(os.getpgid(0), signal.SIGINT)

threading.Thread(target=press).start()
while True:
    for it in flows:
        next(it)
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        program.hear()
        assert_one_keyboard_interrupt(program, end_within_5_seconds(program))


@posix_only
@pytest.mark.parametrize("how", ["it.close()", "it.shutdown()", "with it: pass"])
def test_ctrl_c_to_the_group_while_an_iterator_closes(crops: Path, tmp_path: Path, how: str) -> None:
    code = f"""{HELD}{CTRL_C_IN_CLOSE}
threading.Thread(target=press).start()
{how}
threading.Event().wait(60)  # should Ctrl-C come just after the end of close
tell(unreachable=True)
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        program.hear()
        assert_one_keyboard_interrupt(program, end_within_5_seconds(program))
        assert len(program.told) == 1


@posix_only
def test_ctrl_c_in_close_may_be_caught_and_a_new_iterator_made(crops: Path, tmp_path: Path) -> None:
    code = f"""{HELD}{CTRL_C_IN_CLOSE}
threading.Thread(target=press).start()
try:
    it.close()
    threading.Event().wait(60)
except KeyboardInterrupt:
    plain = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **FLOW)
    with plain:
        shape = next(plain)[0].shape
    del it, generator, press
    gc.collect()
    left = psutil.wait_procs(psutil.Process().children(), timeout=3)[1]
    tell(shape=shape, left=len(left))
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        program.hear()
        assert program.hear() == {"shape": [4, 24, 24, 3], "left": 0}
        assert end_within_5_seconds(program) == ""


@posix_only
def test_ctrl_c_again_and_again_while_the_program_ends(crops: Path, tmp_path: Path) -> None:
    code = f"""{HELD}{CTRL_C_IN_CLOSE}
open(os.path.join(SIGNALS, "ending"), "w").close()
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        program.hear()
        wait_for((tmp_path / "ending").exists, "the program to end")
        for _ in range(3):
            os.killpg(program.process.pid, signal.SIGINT)
        errors = end_within_5_seconds(program)
    assert errors.count(TRACEBACK) <= 1, errors


# Ends without clean-up


@posix_only
@pytest.mark.parametrize(
    ("how", "code_or_signal"),
    [
        ("os._exit(3)", 3),
        ("os.abort()", -signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.execv(sys.executable, [sys.executable, '-c', ''])", 0),
    ],
    ids=["_exit", "abort", "SIGKILL", "SIGTERM", "exec"],
)
def test_end_without_clean_up_in_the_middle_of_a_batch(
    crops: Path, tmp_path: Path, how: str, code_or_signal: int
) -> None:
    code = f"""{HELD}{CTRL_C_IN_CLOSE}
kept = it[0]
{how}
"""
    # `it[0]` was computed before the worker was held; the one that is held is in the middle of a batch.
    code = code.replace("kept = it[0]\n", "")
    with leaving_no_file(code, tmp_path, crops) as program:
        program.hear()
        assert len(program.workers) == 1
        assert TRACEBACK not in end_within_5_seconds(program)
        assert program.process.returncode == code_or_signal


@posix_only
def test_sigterm_that_becomes_an_exit(crops: Path, tmp_path: Path) -> None:
    """As servers and batch systems do it."""
    code = f"""
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
{HELD}
next(it)
tell(unreachable=True)
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        program.hear()
        wait_for((tmp_path / "held").exists, "the second batch to be under way")
        program.process.terminate()
        assert end_within_5_seconds(program) == ""
        assert program.process.returncode == 9
        assert len(program.told) == 1


@posix_only
def test_killed_notebook_kernel(crops: Path, tmp_path: Path) -> None:
    """Cells are run by `exec`, here in a thread; then the kernel is killed."""
    code = """
cells = [
    "from imageloom import ImageDataGenerator",
    "darker = lambda x: hold_on(x / 2, 40)",
    "train = ImageDataGenerator(cores=1, preprocessing_function=darker).flow_from_directory(F, **FLOW)",
    "images, targets = next(train)",
    "tell(workers=workers())",
    "for batch in train: pass",
]
space = {"F": FOLDER, "FLOW": FLOW, "tell": tell, "workers": workers, "hold_on": hold_on}
space["__name__"] = "__main__"

def kernel():
    for cell in cells:
        exec(compile(cell, "<cell>", "exec"), space)

thread = threading.Thread(target=kernel)
thread.start()
thread.join()
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        program.hear()
        wait_for((tmp_path / "held").exists, "the kernel to be busy")
        assert len(program.workers) == 1
        program.process.kill()
        assert end_within_5_seconds(program) == ""


# Many iterators, many threads

SHARED = """
def expected(batches):
    it = ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW)
    return [next(it)[0] for _ in range(batches)]

def left():
    gc.collect()
    return len(psutil.wait_procs(psutil.Process().children(), timeout=3)[1])
"""


@pytest.mark.parametrize("generators", [1, 10], ids=["one generator", "ten generators"])
@pytest.mark.parametrize("threaded", [False, True], ids=["one thread", "ten threads"])
def test_ten_iterators_at_once(crops: Path, tmp_path: Path, generators: int, threaded: bool) -> None:
    code = f"""{SHARED}
right = expected(8)
generators = [ImageDataGenerator(cores=1) for _ in range({generators})]
flows = [generators[i % len(generators)].flow_from_directory(FOLDER, **FLOW) for i in range(10)]
received = [[] for _ in flows]

def read(number):
    for _ in right:
        received[number].append(next(flows[number])[0])

if {threaded}:
    threads = [threading.Thread(target=read, args=(i,)) for i in range(10)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
else:
    for _ in right:
        for it, batches in zip(flows, received):
            batches.append(next(it)[0])
running = workers()
tell(workers=running, count=len(running))
same = all((a == b).all() for batches in received for a, b in zip(batches, right, strict=True))
for it in flows[::2]:
    it.close()
more = all((next(it)[0] == expected(9)[-1]).all() for it in flows[1::2])
del flows, it
tell(same=bool(same), more=bool(more), left=left())
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        assert program.hear()["count"] == generators, "one worker each, whoever reads"
        assert program.hear() == {"same": True, "more": True, "left": 0}
        assert end_within_5_seconds(program) == ""


def test_one_iterator_read_in_several_threads(crops: Path, tmp_path: Path) -> None:
    code = f"""{SHARED}
it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
received = []

def read():
    for _ in range(6):
        received.append(next(it)[0].tobytes())

threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
same = sorted(received) == sorted(batch.tobytes() for batch in expected(48))
it.close()
tell(same=same, left=left())
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        assert program.hear() == {"same": True, "left": 0}
        assert end_within_5_seconds(program) == ""


@posix_only
def test_forked_children_are_refused_at_once_while_the_parent_goes_on(
    crops: Path, tmp_path: Path
) -> None:
    code = f"""{SHARED}
right = expected(12)
it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
received, said = [next(it)[0]], []
for ask in (lambda: next(it), lambda: it[3], lambda: it.close(), lambda: (it.reset(), next(it))):
    reading, writing = os.pipe()
    if os.fork() == 0:
        signal.alarm(20)  # a child that hangs says nothing
        try:
            ask()
            answer = "nothing"
        except RuntimeError as error:
            answer = type(error).__name__ + ": " + str(error)
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    received.append(next(it)[0])
    with open(reading) as answer:
        said.append(answer.read())
    os.wait()
received += [next(it)[0] for _ in range(7)]
same = all((a == b).all() for a, b in zip(received, right, strict=True))
tell(said=said, same=bool(same), workers=workers())
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        told = program.hear()
        assert told["same"] is True
        refusal = "IteratorClosedError: This iterator belongs to the process that read its first batch"
        assert [text.startswith(refusal) for text in told["said"]] == [True, True, False, True]
        assert told["said"][2] == "nothing", "a child may close what it has, without consequences"
        assert end_within_5_seconds(program) == ""


# Over and over


@pytest.mark.parametrize("end", ["it.close()", "del it", "pass"], ids=["close", "del", "overwritten"])
def test_ten_loops_that_are_left_by_break(crops: Path, tmp_path: Path, end: str) -> None:
    code = f"""{SHARED}
import json
def descriptors():
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0

generator = ImageDataGenerator(cores=2)
counts = []
for _ in range(10):
    it = generator.flow_from_directory(FOLDER, **FLOW)
    for number, batch in enumerate(it):
        if number == 2:
            break
    counts.append((len(workers()), threading.active_count(), descriptors()))
    {end}
it = batch = None
gone = left()
tell(left=gone, counts=counts, threads=threading.active_count())
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        told = program.hear()
        assert (told["left"], told["threads"]) == (0, 1)
        first, last = told["counts"][2], told["counts"][-1]
        assert all(late <= early + 2 for early, late in zip(first, last, strict=True)), told
        assert max(count[0] for count in told["counts"]) <= 2
        assert end_within_5_seconds(program) == ""


@pytest.mark.parametrize("tied", ["", "it.itself = it"], ids=["count", "cycle"])
@pytest.mark.parametrize("where", ["main", "thread"])
def test_garbage_gives_the_workers_back(crops: Path, tmp_path: Path, tied: str, where: str) -> None:
    code = f"""{SHARED}
kept = []

def use():
    it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
    kept.append(next(it)[0])
    {tied}
    tell(count=len(workers()), workers=workers())

if {where == "thread"}:
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
else:
    use()
tell(left=left(), same=bool((kept[0] == expected(1)[0]).all()), threads=threading.active_count())
"""
    with leaving_no_file(code, tmp_path, crops) as program:
        assert program.hear()["count"] >= 1
        assert program.hear() == {"left": 0, "same": True, "threads": 1}
        assert end_within_5_seconds(program) == ""
