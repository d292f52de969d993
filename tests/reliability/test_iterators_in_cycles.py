"""Functions of the user may refer to the iterator that they work for; it is collected nevertheless."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from executor_support import BATCH, SIZE, wait_for, worker_processes

from imageloom import ImageDataGenerator
from imageloom._executors.program import end_idle_workers

EXECUTORS = ["serial", "threads", "processes"]


class Project:
    """Everything of a program in one object."""

    def __init__(self, folder: Path, executor: str, **options: Any) -> None:
        self.generator = ImageDataGenerator(
            executor=executor, cores=1, preprocessing_function=self.scaled, **options
        )
        self.train = self.generator.flow_from_directory(folder, SIZE, batch_size=BATCH)

    def scaled(self, x: Any) -> Any:
        return x / 255


def let_go(folder: Path, executor: str, **options: Any) -> weakref.ref[Any]:
    project = Project(folder, executor, **options)
    for _ in range(3):
        next(project.train)
    return weakref.ref(project.train._stream.supply)


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("options", [{}, {"on_bad_image": "replace"}, {"cache": "memory"}])
def test_an_object_that_holds_its_iterator_is_collected(
    crops: Path, executor: str, options: dict[str, Any]
) -> None:
    gone = let_go(crops, executor, **options)

    def is_gone() -> bool:
        gc.collect()
        return gone() is None

    wait_for(is_gone, "the end of the iterator")


@pytest.mark.slow
@pytest.mark.adaptive
def test_an_object_that_was_read_here_is_collected(crops: Path) -> None:
    gone = let_go(crops, "processes")
    gc.collect()
    assert gone() is None


@pytest.mark.slow
def test_workers_do_not_pile_up(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imageloom._executors.workers.staffing.LINGER_SECONDS", 0.1)
    for _ in range(4):
        let_go(crops, "processes")
        gc.collect()
        assert len(worker_processes()) <= 1

    def has_ended() -> bool:
        gc.collect()
        return not worker_processes()

    wait_for(has_ended, "the end of the workers", seconds=5)
    end_idle_workers()
