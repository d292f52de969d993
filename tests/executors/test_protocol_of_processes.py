"""What would keep a worker process and the program waiting for one another, or a batch from its end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from executor_support import Signals, flow, take, wait_for, worker_processes
from numpy.typing import NDArray

from imageloom import BatchTimeoutError, ImageDataGenerator, WorkerError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._executors.workers.message_socket import MessageSocket

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork as in POSIX")
FILES: Final = 2048
LARGE: Final = 3_000_000  # more than any connection takes at once


@pytest.fixture
def executor() -> Iterator[Executor]:
    made = make_executor("processes", 1, disable_gpu=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def long_names(crops: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of more than two batches whose names take more room than a connection has."""
    folder = tmp_path_factory.mktemp("long names")
    (folder / "one").mkdir()
    image = next((crops / "cat").iterdir())
    for number in range(2 * FILES + 1):
        os.link(image, folder / "one" / f"{number:05d}{'x' * 180}{image.suffix}")
    return folder


def large_batch(index: int, names: list[str], classes: list[Any], params: Any) -> Any:
    return index, (names[0], "x" * LARGE)


@pytest.mark.slow
@pytest.mark.timeout(90)
@pytest.mark.parametrize("executor_name", ["processes", "threads"])
def test_large_tasks_and_large_batches(long_names: Path, executor_name: Any) -> None:
    generator = ImageDataGenerator(
        cores=2, executor=executor_name, get_batch_function=large_batch, max_batches_pending=4
    )
    it = generator.flow_from_directory(long_names, batch_size=FILES, shuffle=False)
    with it:
        found = [next(it) for _ in range(18)]
    firsts = [it.filenames[number * FILES] for number in range(3)]
    assert [name for name, _ in found] == firsts * 6
    assert {len(text) for _, text in found} == {LARGE}


class StopInTheMiddle:
    """A batch function whose worker stops when it has sent a part of its second batch."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def __call__(self, index: int, names: list[str], classes: list[Any], params: Any) -> Any:
        if index == 1 and not self.signals.given("stopped"):
            MessageSocket.flush = self._send_a_part  # type: ignore[method-assign]
        return index, (names[0], "x" * LARGE)

    def _send_a_part(self) -> None:
        import gc

        (line,) = [one for one in gc.get_objects() if isinstance(one, MessageSocket)]
        line.waitable.send(line._outgoing[0].content[:100_000])
        self.signals.give("stopped", str(os.getpid()))
        os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.slow
@posix_only
@pytest.mark.timeout(60)
def test_a_worker_that_stops_in_the_middle_of_a_batch(
    crops: Path, executor: Executor, signals: Signals
) -> None:
    function = StopInTheMiddle(signals)
    options: dict[str, Any] = {"get_batch_function": function, "batch_timeout": 6.0, "pending": 1}
    with flow(crops, executor, shuffle=False, **options) as it:
        assert next(it)[0] == it.filenames[0]
        with pytest.raises(BatchTimeoutError):
            next(it)
        stopped = int(signals.content("stopped"))
        wait_for(lambda: stopped not in worker_processes(), "the end of the worker that stopped")
        assert next(it)[0] == it.filenames[8]
        assert it.report().restarts == 1


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("end", ["close", "kill"])
@posix_only
def test_a_stopped_worker_delays_no_end(crops: Path, executor: Executor, end: str) -> None:
    it = flow(crops, executor)
    next(it)
    (worker,) = worker_processes().values()
    worker.suspend()
    if end == "close":
        it.close()
        executor.close()
    else:
        worker.kill()
        take(it, 3)
        it.close()
    wait_for(lambda: not worker.is_running(), "the end of the worker", seconds=10)


def with_a_lock(index: int, names: list[str], classes: list[Any], params: Any) -> Any:
    return index, (names[0], threading.Lock() if index == 1 else np.zeros(3))


class Unreadable:
    """What arrives cannot be made again."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


def with_the_unreadable(index: int, names: list[str], classes: list[Any], params: Any) -> Any:
    return index, (names[0], Unreadable() if index == 1 else np.zeros(3))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "words"),
    [(with_a_lock, "cannot be sent .*lock.*threads"), (with_the_unreadable, "cannot be unpickled")],
)
def test_a_batch_that_cannot_travel_is_its_own_error_alone(
    crops: Path, executor: Executor, function: Any, words: str
) -> None:
    with flow(crops, executor, shuffle=False, get_batch_function=function) as it:
        assert next(it)[0] == it.filenames[0]
        with pytest.raises(WorkerError, match=words):
            next(it)
        assert next(it)[0] == it.filenames[8]
        assert it.report().restarts == 0


class ForkAt:
    """A hook that forks at one file; its child ends, or goes on as if it were the worker."""

    def __init__(self, signals: Signals, file: str, *, ends: bool) -> None:
        self.signals = signals
        self.file = file
        self.ends = ends

    def __call__(self, params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        if filename == self.file:
            child = os.fork()
            if child == 0:
                self.signals.give("forked", str(os.getpid()))
                if self.ends:
                    sys.exit(3)
                return x
            self.signals.give("waited", str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
        return x


@pytest.mark.slow
@posix_only
@pytest.mark.timeout(60)
@pytest.mark.parametrize("ends", [True, False], ids=["exits", "returns"])
def test_a_hook_that_forks_answers_once(
    crops: Path, executor: Executor, signals: Signals, *, ends: bool
) -> None:
    expected = take(flow(crops), 6)
    it = flow(crops, executor, preprocessing_function=ForkAt(signals, _file(crops), ends=ends))
    with it:
        found = take(it, 6)
        assert it.report().restarts == 0
    assert all((one[0] == other[0]).all() for one, other in zip(found, expected, strict=True))
    assert signals.given("forked")
    assert signals.content("waited") == ("3" if ends else "0")


def _file(crops: Path) -> str:
    return str(flow(crops).filenames[5])
