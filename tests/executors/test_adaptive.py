"""Small work is done by the thread that asks for it, and large work by workers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCH,
    BATCHES,
    SEED,
    SIZE,
    assert_same_batches,
    draw_globally,
    flow,
    jitter,
    take,
    wait_for,
    worker_processes,
)

from imageloom import DirectoryIterator, ImageDataGenerator, IteratorClosedError
from imageloom._executors import adaptive
from imageloom._executors.adaptive import AdaptiveChannel
from imageloom._executors.base import BatchFuture, ComputedBatch, WorkersCompute
from imageloom._pipeline.recipe import BatchReport, BatchTask, Recipe
from imageloom._stream.window import BatchStream

pytestmark = [pytest.mark.adaptive, pytest.mark.usefixtures("busy_program")]


class Workers(WorkersCompute):
    """Workers that begin a task when the test says so."""

    lookahead, workers, restarts, cpus = 3, 2, 0, 2

    def __init__(self) -> None:
        self.begun = False
        self.submitted: dict[int, BatchFuture] = {}
        self.closed = False

    @property
    def ready(self) -> bool:
        return self.begun

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        self.submitted[task.spec.position] = future = Future()
        return future

    def prioritise(self, future: BatchFuture) -> None:
        pass

    def closer(self) -> Callable[[], object]:
        return self._note_close

    def _note_close(self) -> None:
        self.closed = True

    def finish(self, position: int) -> None:
        """Delivers the batch at a position, of no arrays."""
        future = self.submitted[position]
        assert future.set_running_or_notify_cancel()
        future.set_result(ComputedBatch(lambda: (), lambda: None, BatchReport()))


class Setting:
    """A channel to such workers, and the window over it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        it = flow(folder, **options)
        self.recipe: Recipe = it._plan.recipe(it.image_data_generator._freeze(), it.batch_size)
        self.workers = Workers()
        self.opened = 0
        self.channel = AdaptiveChannel(self.recipe, self._open, epoch=BATCHES, workers=lambda: 2)
        sampler = it._stream.order.sampler()
        self.window = BatchStream(self.channel, lambda p: it._plan.source.task(sampler.spec(p)))
        self.window.follow(range(100))

    def _open(self) -> Workers:
        self.opened += 1
        return self.workers

    def read(self, position: int) -> tuple[Any, ...]:
        return self.window.get(position).hand_out()

    def read_as_iterators_do(self, position: int) -> tuple[Any, ...]:
        """With the task, so that a batch that is computed here takes no future."""
        return self.window.get(position, self.window._task_at(position)).hand_out()


def test_small_work_opens_nothing(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptive, "_START_SECONDS", 1000.0)
    setting = Setting(crops)
    for position in range(3 * BATCHES):
        assert len(setting.read(position)) == 1
    assert setting.opened == 0
    assert (setting.channel.lookahead, setting.channel.workers) == (0, 2)
    setting.window.close()
    assert not setting.workers.closed


def test_what_is_computed_at_once_starts_workers_for_the_rest(crops: Path, worth_it: None) -> None:
    setting = Setting(crops)
    setting.read_as_iterators_do(0)
    assert setting.opened == 1
    assert list(setting.workers.submitted) == [1, 2, 3]
    assert len(setting.read_as_iterators_do(1)) == 1
    assert setting.workers.submitted[1].cancelled()


def test_what_is_computed_at_once_takes_no_future(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(crops)
    monkeypatch.setattr(setting.channel, "submit", lambda *_, **__: pytest.fail("a future"))
    for position in range(3):
        assert len(setting.read_as_iterators_do(position)) == 1
    setting.window.close()
    with pytest.raises(IteratorClosedError):
        setting.read_as_iterators_do(3)


def test_an_iterator_that_is_closed_while_it_computes_says_so(crops: Path) -> None:
    def close(x: Any) -> Any:
        setting.window.close()
        return x

    setting = Setting(crops, preprocessing_function=close)
    with pytest.raises(IteratorClosedError):
        setting.read_as_iterators_do(0)


def test_workers_are_asked_for_what_follows_the_first_batch(crops: Path, worth_it: None) -> None:
    setting = Setting(crops)
    setting.read(0)
    assert setting.opened == 1
    assert list(setting.workers.submitted) == [1, 2, 3]


def test_the_first_batch_of_a_program_tells_nothing_of_the_next(
    crops: Path, monkeypatch: pytest.MonkeyPatch, worth_it: None
) -> None:
    monkeypatch.setattr(adaptive._Program, "is_set_up", False)
    setting = Setting(crops)
    setting.read(0)
    assert setting.opened == 0
    setting.read(1)
    assert setting.opened == 1


def test_a_first_batch_that_takes_long_tells_of_the_next(
    crops: Path, monkeypatch: pytest.MonkeyPatch, worth_it: None
) -> None:
    monkeypatch.setattr(adaptive._Program, "is_set_up", False)
    monkeypatch.setattr(adaptive, "_FIRST_USE_SECONDS", 1e-6)
    setting = Setting(crops)
    setting.read(0)
    assert setting.opened == 1


def test_batches_that_take_less_time_than_the_way_to_workers_stay_here(
    crops: Path, monkeypatch: pytest.MonkeyPatch, worth_it: None
) -> None:
    monkeypatch.setattr(adaptive, "_PASSING_SECONDS", 1000.0)
    setting = Setting(crops)
    for position in range(BATCHES):
        setting.read(position)
    assert setting.opened == 0


def test_what_workers_have_not_begun_is_computed_here(crops: Path, worth_it: None) -> None:
    setting = Setting(crops)
    for position in range(4):
        assert len(setting.read(position)) == 1
    submitted = setting.workers.submitted
    assert [p for p, future in submitted.items() if future.cancelled()] == [1, 2, 3]
    assert setting.opened == 1


def test_what_a_worker_has_begun_is_waited_for(crops: Path, worth_it: None) -> None:
    setting = Setting(crops)
    setting.read(0)
    assert setting.workers.submitted[1].set_running_or_notify_cancel()
    timer = threading.Timer(
        0.05,
        setting.workers.submitted[1].set_result,
        [ComputedBatch(lambda: (), lambda: None, BatchReport())],
    )
    timer.start()
    assert setting.read(1) == ()
    timer.join()


def test_once_workers_are_ready_they_compute_all(crops: Path, worth_it: None) -> None:
    setting = Setting(crops)
    setting.read(0)
    setting.workers.begun = True
    setting.workers.finish(1)
    assert setting.read(1) == ()
    setting.workers.finish(2)
    assert setting.read(2) == ()
    assert setting.workers.submitted.keys() >= {3, 4, 5}


def test_a_program_that_leaves_after_one_batch_starts_no_workers_next_time(
    crops: Path, worth_it: None
) -> None:
    first = Setting(crops)
    first.read(0)
    first.window.close()
    assert (first.opened, first.workers.closed) == (1, True)
    second = Setting(crops)
    second.read(0)
    assert second.opened == 0
    second.read(1)
    assert second.opened == 1
    second.window.close()
    third = Setting(crops)
    third.read(0)
    assert third.opened == 1


def test_workers_that_cannot_be_opened_cost_no_batch(crops: Path, worth_it: None) -> None:
    def fail() -> Workers:
        raise OSError("no")

    setting = Setting(crops)
    setting.channel._open_workers = fail
    assert len(setting.read(0)) == 1
    with pytest.raises(OSError, match="no"):
        setting.read(1)
    setting.channel._open_workers = setting._open
    assert len(setting.read(1)) == 1


def test_errors_of_functions_keep_their_type(crops: Path) -> None:
    def fail(x: Any) -> Any:
        raise KeyError("of the user")

    setting = Setting(crops, preprocessing_function=fail)
    for position in (0, 1):
        with pytest.raises(KeyError, match="of the user"):
            setting.read(position)


def test_a_closed_iterator_says_so(crops: Path) -> None:
    setting = Setting(crops)
    setting.read(0)
    setting.window.close()
    with pytest.raises(IteratorClosedError):
        setting.read(1)


def test_functions_run_in_one_thread_at_a_time(crops: Path) -> None:
    inside = threading.Event()
    leave = threading.Event()
    by: list[int] = []

    def hold(x: Any) -> Any:
        by.append(threading.get_ident())
        inside.set()
        leave.wait(20)
        return x

    one, other = (Setting(crops, preprocessing_function=hold) for _ in range(2))
    thread = threading.Thread(target=one.read, args=(0,))
    thread.start()
    assert inside.wait(20)
    other_thread = threading.Thread(target=other.read, args=(0,))
    other_thread.start()
    wait_for(lambda: 0 in other.workers.submitted, "the task to go to the workers")
    other.workers.finish(0)
    other_thread.join(20)
    leave.set()
    thread.join(20)
    assert set(by) == {thread.ident}


def adaptive_flow(folder: Path, **options: Any) -> DirectoryIterator:
    generator = ImageDataGenerator(executor="processes", cores=2, **options)
    return generator.flow_from_directory(folder, SIZE, batch_size=BATCH, seed=SEED)


OPTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "augmented": lambda: dict(AUGMENTED),
    "a hook that draws": lambda: {"preprocessing_function": jitter},
    "a hook that draws globally": lambda: {"noaug_preprocessing_function": draw_globally},
    "a cache": lambda: {"cache": "memory"},
    "bad images are replaced": lambda: {"on_bad_image": "replace"},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("start", [0.0, 0.02, 1000.0])
def test_who_computes_does_not_change_the_stream(
    crops: Path, kind: str, start: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptive, "_START_SECONDS", start)
    expected = take(flow(crops, **OPTIONS[kind]()), 4 * BATCHES)
    with adaptive_flow(crops, **OPTIONS[kind]()) as it:
        assert_same_batches(take(it, 4 * BATCHES), expected)


@pytest.mark.slow
def test_random_access_is_the_same(crops: Path, worth_it: None) -> None:
    asked = np.random.RandomState(0).randint(0, BATCHES, 40)
    with flow(crops, **AUGMENTED) as it:
        expected = [it[int(i)] for i in asked]
    with adaptive_flow(crops, **AUGMENTED) as it:
        assert_same_batches([it[int(i)] for i in asked], expected)


def test_a_short_flow_starts_no_process(crops: Path) -> None:
    before = worker_processes().keys()
    generator = ImageDataGenerator(rotation_range=20, preprocessing_function=lambda x: x * 2)
    for _ in range(5):
        next(generator.flow_from_directory(crops, (24, 24), batch_size=4, seed=SEED))
        next(generator.flow(np.zeros((8, 16, 16, 3)), batch_size=4, seed=SEED))
    assert worker_processes().keys() == before


def test_the_report_says_that_workers_were_not_needed(crops: Path) -> None:
    it = adaptive_flow(crops)
    take(it, 2 * BATCHES)
    assert not it.report().workers_started
    assert "workers start when there is more to do" in str(it.report())


@pytest.mark.slow
def test_the_report_counts_workers_once_they_start(crops: Path, worth_it: None) -> None:
    it = adaptive_flow(crops)
    take(it, 2)
    assert it.report().workers_started
    assert it.report().workers == 2
