"""`save_to_dir`: a batch's pictures are written when it is handed out, and at no other time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCH, BATCHES, HoldAt, Signals, file_at, flow, take, worker_processes

from imageloom import ImageDataGenerator
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor


@pytest.fixture(params=["serial", "threads", "processes"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """One of each kind."""
    made = make_executor(request.param, 2, disable_gpu=True)
    yield made
    made.close()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    folder.mkdir()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_only_what_was_handed_out(executor: Executor, crops: Path, saved: Path, tmp_path: Path) -> None:
    serial = tmp_path / "serial"
    with flow(crops, save_to_dir=serial) as it:
        take(it, 2)
    with flow(crops, executor, save_to_dir=saved) as it:
        assert contents(saved) == {}
        next(it)
        assert len(contents(saved)) == BATCH
        next(it)
        assert contents(saved) == contents(serial)
    assert contents(saved) == contents(serial), "closing writes nothing"


def test_the_same_batch_again_has_the_same_names(executor: Executor, crops: Path, saved: Path) -> None:
    with flow(crops, executor, save_to_dir=saved) as it:
        it[1]
        first = contents(saved)
        for name in first:
            (saved / name).write_bytes(b"")
        it[1]
        assert contents(saved) == first
        it[BATCHES - 1]
        assert len(contents(saved)) == BATCH + it.n % BATCH


def test_jumping_about_saves_what_was_asked_for(executor: Executor, crops: Path, saved: Path) -> None:
    with flow(crops, executor, save_to_dir=saved) as it:
        next(it)
        it.reset()
        it[3]
        it.on_epoch_end()
        assert len(contents(saved)) == 2 * BATCH


@pytest.mark.slow
def test_a_worker_that_dies_saves_nothing_twice(crops: Path, saved: Path, signals: Signals) -> None:
    held = file_at(flow(crops), 0, row=BATCH - 1)
    executor = make_executor("processes", 1, disable_gpu=True)
    hold = HoldAt(signals, held)
    with flow(crops, executor, save_to_dir=saved, preprocessing_function=hold) as it:
        stream = it._stream
        stream.supply.start(stream._lane.open_channel, stream.order)
        stream.supply.follow([0])
        signals.wait(f"held-{held}")
        (worker,) = worker_processes().values()
        worker.kill()
        signals.give("go")
        next(it)
        assert it.report().restarts == 1
    executor.close()
    assert len(contents(saved)) == BATCH


def test_a_batch_function_saves_itself(crops: Path, saved: Path) -> None:
    """As in the original library: it is told where to."""
    told: list[Any] = []

    def function(batch_index: int, filenames: Any, class_ids: Any, params: Any) -> Any:
        told.append(params.save_to_dir)
        return batch_index, np.zeros(params.batch_shape, params.dtype)

    with flow(crops, save_to_dir=saved, get_batch_function=function) as it:
        next(it)
    assert told == [str(saved)]
    assert contents(saved) == {}


def test_previews_save_nothing(crops: Path, saved: Path) -> None:
    with flow(crops, save_to_dir=saved) as it:
        it.preview()
    assert contents(saved) == {}


def test_a_folder_that_goes_away_is_an_error_of_its_batch(
    executor: Executor, crops: Path, saved: Path
) -> None:
    with flow(crops, executor, save_to_dir=saved) as it:
        next(it)
        saved.rename(saved.with_name("aside"))
        with pytest.raises(FileNotFoundError) as caught:
            next(it)
        assert str(caught.value.filename).startswith(str(saved))
        assert "save_to_dir" in str(caught.value)
        saved.mkdir()
        next(it)
        assert len(contents(saved)) == BATCH


@pytest.mark.slow
def test_the_folder_is_that_of_the_program(crops: Path, saved: Path, monkeypatch: Any) -> None:
    """A relative path means what it means to the program, as in Keras, and not to a worker."""
    monkeypatch.chdir(saved.parent)
    generator = ImageDataGenerator(executor="processes", cores=1)
    with generator.flow_from_directory(crops, (8, 8), batch_size=2, save_to_dir="saved") as it:
        next(it)
        (saved.parent / "other" / "saved").mkdir(parents=True)
        monkeypatch.chdir("other")
        next(it)
    assert len(os.listdir(saved)) == len(os.listdir("saved")) == 2


def test_a_format_that_pillow_does_not_know(executor: Executor, crops: Path, saved: Path) -> None:
    with (
        flow(crops, executor, save_to_dir=saved, save_format="xyz") as it,
        pytest.raises(ValueError, match="unknown file extension"),
    ):
        next(it)
    assert contents(saved) == {}
