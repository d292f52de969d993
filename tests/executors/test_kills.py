"""Which batches are computed alone, and what the kernel's count of its kills says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from imageloom._executors.base import QueuedTask, TaskQueue
from imageloom._executors.workers import kills
from imageloom._executors.workers.kills import ALONE_SECONDS, Kills
from imageloom._pipeline.recipe import BatchSpec, BatchTask

TASK = BatchTask(spec=BatchSpec(position=7, index=7, indices=np.arange(3), seed=1, permuted=0))
KILLED, CRASHED = "signal SIGKILL", "signal SIGSEGV"


@pytest.fixture
def queue() -> TaskQueue[Any]:
    """One with a task that waits."""
    made: TaskQueue[Any] = TaskQueue()
    made.put(QueuedTask(None, TASK), urgent=False)
    return made


def worker(item: QueuedTask[Any] | None = None) -> Any:
    return SimpleNamespace(item=item)


def counts(monkeypatch: pytest.MonkeyPatch, *values: int | None) -> None:
    """What the kernel's count is, each time it is read."""
    left = list(values)
    monkeypatch.setattr(kills, "memory_kills", lambda: left.pop(0) if len(left) > 1 else left[0])


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        ((0, 0), [False, False]),
        ((0, 1, 1), [True, False]),
        ((0, 2, 2, 2), [True, True, False]),  # two were killed before the first was noticed
        ((5, 5, 6), [False, True]),
        ((None, None), [None]),
        ((3, None), [None]),
        ((None, 3), [None]),
    ],
)
def test_each_kill_in_the_count_explains_one_death(
    counted: tuple[int | None, ...],
    said: list[bool | None],
    queue: TaskQueue[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts(monkeypatch, *counted)
    watch = Kills(queue)
    assert [watch.note_death(None, -1, KILLED) for _ in said] == said


def test_a_crash_is_not_asked_about_and_not_computed_alone(
    queue: TaskQueue[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts(monkeypatch, 0, 1)
    watch, item = Kills(queue), QueuedTask(None, TASK)
    assert watch.note_death(item, 2, CRASHED) is None
    assert (item.deaths_at, item.kills_at, item.alone_until) == ([2], [], 0)
    queue.put(item, urgent=True)
    assert watch.others_wait([worker()]) == (False, None)


def test_a_killed_batch_waits_for_the_others_and_they_for_it(queue: TaskQueue[Any]) -> None:
    watch, item = Kills(queue), QueuedTask(None, TASK)
    assert watch.others_wait([worker()]) == (False, None)
    watch.note_death(item, 2, KILLED)
    assert (item.deaths_at, item.kills_at) == ([], [2])
    queue.put(item, urgent=True)
    queue.put(QueuedTask(None, TASK), urgent=True)  # somebody waits for another one
    busy = worker(QueuedTask(None, TASK))
    assert watch.others_wait([worker(), busy]) == (True, None)
    assert watch.others_wait([worker(), worker()]) == (True, item)
    assert queue.take(wait=False) is item
    assert watch.others_wait([worker(item), worker()]) == (True, None)
    assert watch.others_wait([worker(), worker()]) == (False, None)
    assert watch.seconds_to_wait([worker()]) == []


def test_waiting_for_one_another_has_an_end(
    queue: TaskQueue[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(kills.time, "monotonic", lambda: now)
    watch, item = Kills(queue), QueuedTask(None, TASK)
    watch.note_death(item, 2, KILLED)
    queue.put(item, urgent=True)
    hangs = worker(QueuedTask(None, TASK))
    assert watch.seconds_to_wait([hangs]) == [ALONE_SECONDS]
    assert watch.others_wait([hangs]) == (True, None)
    now += ALONE_SECONDS
    assert watch.seconds_to_wait([hangs]) == [0]
    assert watch.others_wait([hangs]) == (False, None)
    assert watch.seconds_to_wait([hangs]) == []
