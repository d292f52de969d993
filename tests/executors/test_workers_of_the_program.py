"""All generators of a program share its workers, which outlive their iterators for a while."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCH, SEED, SIZE, flow, take, wait_for, worker_processes

from imageloom import DirectoryIterator, ImageDataGenerator, WorkerDiedError
from imageloom._executors.program import end_idle_workers

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_workers_yet() -> None:
    end_idle_workers()
    wait_for(lambda: not worker_processes(), "the end of all workers")


def opened(folder: Path, cores: int = 1, **options: Any) -> DirectoryIterator:
    generator = ImageDataGenerator(executor="processes", cores=cores, **options)
    return generator.flow_from_directory(folder, SIZE, batch_size=BATCH, seed=SEED)


def all_ready(count: int) -> set[int]:
    return wait_for(
        lambda: set(worker_processes()) if len(worker_processes()) == count else None,
        f"{count} workers",
    )


def test_generators_share_their_workers(crops: Path) -> None:
    iterators = [opened(crops, rotation_range=angle) for angle in range(5)]
    for it in iterators:
        next(it)
    assert len(worker_processes()) == 1


def test_workers_stay_for_the_next_iterator(crops: Path) -> None:
    it = opened(crops)
    next(it)
    pids = set(worker_processes())
    for _ in range(3):
        del it
        gc.collect()
        assert set(worker_processes()) == pids
        it = opened(crops, preprocessing_function=np.abs)
        next(it)
        assert set(worker_processes()) == pids


@pytest.mark.parametrize("way", ["close", "shutdown", "with"])
def test_who_closes_the_last_iterator_gets_everything_back(crops: Path, way: str) -> None:
    it, other = opened(crops), opened(crops)
    next(it)
    next(other)
    del other
    gc.collect()
    if way == "with":
        with it:
            pass
    else:
        getattr(it, way)()
    wait_for(lambda: not worker_processes(), "the end of the worker", seconds=2)


def test_closing_one_iterator_leaves_the_workers_to_the_others(crops: Path) -> None:
    it, other = opened(crops), opened(crops)
    expected = take(flow(crops), 2)
    next(it)
    pids = set(worker_processes())
    np.testing.assert_array_equal(next(other)[0], expected[0][0])
    it.close()
    np.testing.assert_array_equal(next(other)[0], expected[1][0])
    assert set(worker_processes()) == pids


def test_workers_end_when_nobody_comes(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imageloom._executors.workers.staffing.LINGER_SECONDS", 0.1)
    it = opened(crops, cores=2)
    next(it)
    assert worker_processes()
    del it
    gc.collect()
    wait_for(lambda: not worker_processes(), "the end of the workers", seconds=5)
    next(opened(crops))
    assert len(worker_processes()) == 1


def test_there_are_as_many_as_the_iterator_wants_that_wants_most(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imageloom._machine.available_cpus", lambda: 4)
    one, three = opened(crops, cores=1), opened(crops, cores=3)
    next(one)
    assert len(worker_processes()) == 1
    take(three, 6)
    pids = all_ready(3)
    assert (one.report().workers, three.report().workers) == (1, 3)
    monkeypatch.setattr("imageloom._executors.workers.staffing.LINGER_SECONDS", 0.1)
    three.close()
    assert all_ready(1) < pids
    next(one)


def where(params: Any, x: Any) -> Any:
    return np.full_like(x, os.getpid())


def test_an_iterator_uses_no_more_workers_than_its_generator_has(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imageloom._machine.available_cpus", lambda: 4)
    three = opened(crops, cores=3, batch_timeout=60)
    take(three, 6)
    all_ready(3)
    held = opened(crops, cores=1, preprocessing_function=where)
    busy = held._open_channel()
    assert busy.workers == 1
    busy.close()


def test_a_changed_environment_reaches_functions(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gain(x: Any) -> Any:
        return np.full_like(x, float(os.environ["GAIN"]))

    for value in ("3", "5"):
        monkeypatch.setenv("GAIN", value)
        it = opened(crops, preprocessing_function=gain)
        assert next(it)[0].max() == float(value)
        del it


def test_a_reloaded_module_reaches_functions(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "gain_that_changes.py"
    file.write_text("def gain(x):\n    return x * 0 + 3\n")
    module = importlib.import_module("gain_that_changes")
    try:
        assert next(opened(crops, preprocessing_function=module.gain))[0].max() == 3
        file.write_text("def gain(x):\n    return x * 0 + 50\n")
        importlib.reload(module)
        assert next(opened(crops, preprocessing_function=module.gain))[0].max() == 50
    finally:
        del sys.modules["gain_that_changes"]


def test_new_modules_start_no_new_workers(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    next(opened(crops, preprocessing_function=np.abs))
    pids = set(worker_processes())
    (tmp_path / "a_new_module.py").write_text("def gain(x):\n    return x * 0 + 7\n")
    module = importlib.import_module("a_new_module")
    try:
        assert next(opened(crops, preprocessing_function=module.gain))[0].max() == 7
        assert set(worker_processes()) == pids
    finally:
        del sys.modules["a_new_module"]


def die(x: Any) -> Any:
    os._exit(7)


def test_workers_that_cannot_go_on_are_replaced_for_the_next_iterator(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imageloom._executors.workers.deaths._DEATHS_OVER_SAMPLE", 1)
    monkeypatch.setattr("imageloom._executors.workers.deaths._FATAL_BATCHES_IN_A_ROW", 2)
    it = opened(crops, preprocessing_function=die)
    for _ in range(3):
        with pytest.raises(WorkerDiedError):
            next(it)
    assert next(opened(crops))[0].shape == (BATCH, *SIZE, 3)


def test_restarts_of_others_are_not_reported(crops: Path) -> None:
    it = opened(crops)
    next(it)
    for worker in worker_processes().values():
        worker.kill()
    take(it, 8)
    assert it.report().restarts >= 1
    other = opened(crops)
    next(other)
    assert other.report().restarts == 0
