"""However a program ends, no worker survives it, and nothing but the user's own errors is printed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from ending_scripts import Program, running
from executor_support import wait_for

TRACEBACK = "Traceback (most recent call last)"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork as in POSIX")


def test_end_without_close(crops: Path, tmp_path: Path) -> None:
    code = """
it = ImageDataGenerator(cores=2, rotation_range=10).flow_from_directory(FOLDER, **FLOW)
images, targets = next(it)
tell(shape=images.shape, workers=workers())
"""
    with running(code, tmp_path, crops) as program:
        assert program.hear()["shape"] == [4, 24, 24, 3]
        assert len(program.workers) >= 1
        assert program.finish() == ""
        assert program.process.returncode == 0


@pytest.mark.parametrize("executor", ["processes", "threads"])
def test_end_while_a_batch_is_under_way(crops: Path, tmp_path: Path, executor: str) -> None:
    code = f"""
generator = ImageDataGenerator(
    cores=1, executor={executor!r}, preprocessing_function=lambda x: hold_on(x, 4)
)
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())
"""
    with running(code, tmp_path, crops) as program:
        program.hear()
        assert program.finish(10) == ""
        assert program.process.returncode == 0


def test_error_in_the_loop(crops: Path, tmp_path: Path) -> None:
    code = """
it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
for number, (images, targets) in enumerate(it):
    if number == 2:
        tell(workers=workers())
        raise ValueError("of the user's own")
"""
    with running(code, tmp_path, crops) as program:
        program.hear()
        errors = program.finish()
        assert program.process.returncode == 1
    assert errors.count(TRACEBACK) == 1
    assert errors.strip().endswith("ValueError: of the user's own")
    assert "imageloom" not in errors


def test_error_of_a_hook_ends_the_program(crops: Path, tmp_path: Path) -> None:
    code = """
def faulty(x):
    raise LookupError("in the hook")

it = ImageDataGenerator(cores=1, preprocessing_function=faulty).flow_from_directory(FOLDER, **FLOW)
tell()
next(it)
"""
    with running(code, tmp_path, crops) as program:
        program.hear()
        errors = program.finish()
        assert program.process.returncode == 1
    assert "LookupError: in the hook" in errors
    assert "imageloom: while running preprocessing_function, file '" in errors
    assert "raise LookupError" in errors, "the worker's traceback"
    assert "Exception ignored" not in errors


@pytest.mark.parametrize("how", ["del it", "it = None", "it.close()", "it.shutdown()"])
def test_iterator_that_is_let_go(crops: Path, tmp_path: Path, how: str) -> None:
    code = f"""
generator = ImageDataGenerator(cores=2)
it = generator.flow_from_directory(FOLDER, **FLOW)
images, targets = next(it)
before = images.copy()
tell(workers=workers())
{how}
gc.collect()
left = psutil.wait_procs(psutil.Process().children(), timeout=2)[1]
tell(left=len(left), same=bool((images == before).all()))
again = generator.flow_from_directory(FOLDER, **FLOW)
tell(again=bool((next(again)[0] == before).all()), workers=workers())
"""
    with running(code, tmp_path, crops) as program:
        assert len(program.hear()["workers"]) >= 1
        assert program.hear() == {"left": 0, "same": True}
        assert program.hear()["again"] is True
        assert program.finish() == ""


def test_block_and_break_and_start_again(crops: Path, tmp_path: Path) -> None:
    code = """
generator = ImageDataGenerator(cores=2)
counts = set()
for _ in range(3):
    with generator.flow_from_directory(FOLDER, **FLOW) as it:
        for images, targets in it:
            break
        for number, batch in enumerate(it):
            if number == 3:
                break
        counts.add(it.total_batches_seen)
        tell(workers=workers())
left = psutil.wait_procs(psutil.Process().children(), timeout=2)[1]
tell(left=len(left), counts=sorted(counts))
"""
    with running(code, tmp_path, crops) as program:
        rounds = [program.hear() for _ in range(3)]
        assert all(rounds)
        assert program.hear() == {"left": 0, "counts": [5]}
        assert program.finish() == ""


@posix_only
@pytest.mark.parametrize("to_group", [False, True], ids=["process", "group"])
@pytest.mark.parametrize("executor", ["processes", "threads", "serial"])
def test_ctrl_c_while_waiting_for_a_batch(
    crops: Path, tmp_path: Path, executor: str, to_group: bool
) -> None:
    code = f"""
generator = ImageDataGenerator(
    cores=1, executor={executor!r}, preprocessing_function=lambda x: hold_on(x, 4)
)
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())
next(it)
tell(unreachable=True)
"""
    with running(code, tmp_path, crops) as program:
        program.hear()
        wait_for((tmp_path / "held").exists, "the second batch to be under way")
        if to_group:
            os.killpg(program.process.pid, signal.SIGINT)
        else:
            os.kill(program.process.pid, signal.SIGINT)
        errors = program.finish(10)
        assert program.process.returncode == -signal.SIGINT
    assert errors.count(TRACEBACK) == 1, errors
    assert errors.strip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in errors
    assert len(program.told) == 1


@posix_only
def test_ctrl_c_while_workers_start(crops: Path, tmp_path: Path) -> None:
    code = """
it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
# Starting takes as long as it has to.
os.environ["PYTHONSTARTUP_HELD"] = "1"
tell()
next(it)
tell(unreachable=True)
"""
    # Every Python that finds this module runs it first; workers then are held before their own code.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, threading\n"
        "if 'PYTHONSTARTUP_HELD' in os.environ:\n"
        "    open(os.path.join(os.environ['SIGNALS'], 'held'), 'w').close()\n"
        "    threading.Event().wait(60)\n"
    )
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    with running(code, tmp_path, crops, environment={"PYTHONPATH": path}) as program:
        program.hear()
        wait_for((tmp_path / "held").exists, "a worker to start")
        os.killpg(program.process.pid, signal.SIGINT)
        errors = program.finish(10)
        assert program.process.returncode == -signal.SIGINT
    assert errors.count(TRACEBACK) == 1, errors
    assert errors.strip().endswith("KeyboardInterrupt")
    assert len(program.told) == 1


@posix_only
def test_ctrl_c_may_be_caught_and_the_stream_goes_on(crops: Path, tmp_path: Path) -> None:
    code = """
def held_once(x):
    if not os.path.exists(os.path.join(SIGNALS, "go")):
        open(os.path.join(SIGNALS, "held"), "w").close()
        while not os.path.exists(os.path.join(SIGNALS, "go")):
            threading.Event().wait(0.01)
    return x

plain = next(ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW))
it = ImageDataGenerator(cores=1, preprocessing_function=held_once).flow_from_directory(FOLDER, **FLOW)
tell()
try:
    next(it)
except KeyboardInterrupt:
    open(os.path.join(SIGNALS, "go"), "w").close()
    batches = [next(it) for _ in range(6)]
    it.reset()
    tell(same=bool((it[0][0] == plain[0]).all()), workers=workers())
"""
    with running(code, tmp_path, crops) as program:
        program.hear()
        wait_for((tmp_path / "held").exists, "the first batch to be under way")
        os.kill(program.process.pid, signal.SIGINT)
        program.hear()
        assert program.finish() == ""
        assert program.process.returncode == 0


@posix_only
@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_parent_is_killed(crops: Path, tmp_path: Path, number: signal.Signals, busy: bool) -> None:
    code = f"""
generator = ImageDataGenerator(
    # With two workers the first batch might be among those that are held.
    cores={1 if busy else 2}, preprocessing_function=lambda x: hold_on(x, {4 if busy else 10**6})
)
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())
threading.Event().wait(120)
"""
    with running(code, tmp_path, crops) as program:
        program.hear()
        if busy:
            wait_for((tmp_path / "held").exists, "a worker to be busy")
        assert len(program.workers) >= 1
        assert not [w for w in program.workers if not w.is_running()]
        program.process.send_signal(number)
        errors = program.finish(10)
        assert program.process.returncode == -number
    assert TRACEBACK not in errors


@posix_only
def test_forked_child(crops: Path, tmp_path: Path) -> None:
    code = """
expected = ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW)
expected = [next(expected)[0] for _ in range(12)]
generator = ImageDataGenerator(cores=2)
it = generator.flow_from_directory(FOLDER, **FLOW)
received = [next(it)[0]]
before = workers()
tell(workers=before)
child = os.fork()
if child == 0:
    try:
        next(it)
    except RuntimeError as error:
        print("CHILD", type(error).__name__, error, flush=True)
    del it, received
    gc.collect()
    sys.exit(7)  # through all exit handlers
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
received += [next(it)[0] for _ in range(11)]
same = all((one == other).all() for one, other in zip(received, expected, strict=True))
tell(status=status, same=bool(same), undisturbed=workers() == before)
"""
    with running(code, tmp_path, crops) as program:
        program.hear()
        assert program.hear() == {"status": 7, "same": True, "undisturbed": True}
        assert program.finish() == ""


@posix_only
def test_forked_child_says_what_is_wrong(crops: Path, tmp_path: Path) -> None:
    code = """
it = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **FLOW)
next(it)
child = os.fork()
if child == 0:
    try:
        it[0]
    except RuntimeError as error:
        tell(kind=type(error).__name__, text=str(error))
    own = ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW)
    tell(own=next(own)[0].shape)
    os._exit(0)
os.waitpid(child, 0)
tell(workers=workers())
"""
    with running(code, tmp_path, crops) as program:
        said = program.hear()
        assert said["kind"] == "IteratorClosedError"
        assert "child" in said["text"]
        assert program.hear()["own"] == [4, 24, 24, 3]
        program.hear()
        assert program.finish() == ""


MAIN_HOOKS = """
import numpy as np

STRENGTH = 2.5
calls = []

def strengthen(x):
    return tame(x * STRENGTH)

def tame(x):
    return np.minimum(x, 255)

class Shade:
    def __init__(self, amount):
        self.amount = amount

    def __call__(self, params, x, class_id):
        return x - self.amount * class_id

class Picky(Exception):
    pass

def refuse(x):
    raise Picky("not today")

means = []
for hook in (lambda x: x * STRENGTH, strengthen, Shade(3)):
    both = []
    for executor in ("serial", "processes"):
        generator = ImageDataGenerator(cores=1, executor=executor, preprocessing_function=hook)
        with generator.flow_from_directory(FOLDER, **FLOW) as it:
            both.append(next(it)[0])
    means.append(bool((both[0] == both[1]).all()))
try:
    generator = ImageDataGenerator(cores=1, preprocessing_function=refuse)
    next(generator.flow_from_directory(FOLDER, **FLOW))
except Picky as error:
    caught = str(error)
tell(means=means, caught=caught, module=Shade.__module__)
"""


@pytest.mark.parametrize("command_line", [False, True], ids=["script", "python -c"])
def test_hooks_of_the_main_module(crops: Path, tmp_path: Path, command_line: bool) -> None:
    with running(MAIN_HOOKS, tmp_path, crops, command_line=command_line) as program:
        said = program.hear()
        assert said == {"means": [True] * 3, "caught": "not today", "module": "__main__"}
        assert program.finish() == ""


@pytest.mark.parametrize("close", ["", "it.close()", "del it"])
def test_with_warnings_as_errors(crops: Path, tmp_path: Path, close: str) -> None:
    code = f"""
it = ImageDataGenerator(cores=2, preprocessing_function=lambda x: x / 2).flow_from_directory(
    FOLDER, **FLOW
)
batches = [next(it) for _ in range(9)]
tell(workers=workers())
{close}
"""
    environment = {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"}
    with running(code, tmp_path, crops, environment=environment) as program:
        program.hear()
        assert program.finish() == ""
        assert program.process.returncode == 0


def test_default_number_of_workers_is_told_once(crops: Path, tmp_path: Path) -> None:
    code = """
for _ in range(2):
    with ImageDataGenerator().flow_from_directory(FOLDER, **FLOW) as it:
        next(it)
        tell(workers=workers())
"""
    with running(code, tmp_path, crops) as program:
        program.hear()
        errors = program.finish()
    assert errors.count("imageloom:") == errors.count("\n") == 1
    assert "cores" in errors


def test_many_ends_in_a_row_leave_nothing(crops: Path, tmp_path: Path) -> None:
    """The second run of a program finds nothing of the first in its way."""
    code = """
it = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())
os.kill(os.getpid(), 9)
"""
    programs: list[Program] = []
    for _ in range(3):
        with running(code, tmp_path, crops) as program:
            program.hear()
            assert program.finish() == ""
            programs.append(program)
    assert len({worker.pid for program in programs for worker in program.workers}) == 3
