"""What the system refuses: an error that says so, no other data, and nobody who waits for ever."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from executor_support import BATCHES, assert_same_batches, flow, flow_with, take

from imageloom import BatchMemoryError, ImageDataGenerator, StorageError, WorkerStartError
from imageloom._executors.shared import make_executor
from imageloom._pipeline import layout

REFUSALS = (errno.EMFILE, errno.EIO, errno.ENOMEM)


@pytest.mark.parametrize("code", REFUSALS)
def test_a_folder_that_cannot_be_listed_now_is_not_left_out(
    code: int, crops: Path, monkeypatch: pytest.MonkeyPatch, user_cache: Path
) -> None:
    plain = os.scandir

    def scandir(path: Any = ".") -> Any:
        if str(path).endswith("cat"):
            raise OSError(code, os.strerror(code), path)
        return plain(path)

    monkeypatch.setenv("IMAGELOOM_CACHE_DIR", str(user_cache / "none"))
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(StorageError, match="cat") as caught:
        flow(crops)
    assert caught.value.errno == code
    monkeypatch.undo()
    assert flow(crops).samples == 23


@pytest.mark.parametrize("code", REFUSALS)
def test_a_file_of_a_frame_that_cannot_be_looked_for_now_is_not_left_out(
    code: int, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(str(path) for path in crops.rglob("*.png"))
    plain = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        if path == names[1]:
            raise OSError(code, os.strerror(code), path)
        return plain(path, **options)

    frame = pd.DataFrame({"filename": names, "class": [Path(name).parent.name for name in names]})
    generator = ImageDataGenerator(executor="serial")
    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(StorageError, match="Could not look for"):
        generator.flow_from_dataframe(frame)
    monkeypatch.undo()
    assert generator.flow_from_dataframe(frame).n == len(names)


@pytest.fixture
def no_memory_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The first allocation of a batch fails."""
    plain, left = layout._aligned, [1]

    def aligned(*arguments: Any) -> Any:
        if left and left.pop():
            raise MemoryError("none")
        return plain(*arguments)

    monkeypatch.setattr(layout, "_aligned", aligned)
    yield
    assert not left


@pytest.mark.usefixtures("no_memory_once")
@pytest.mark.parametrize("executor", ["serial", "threads"])
def test_a_batch_without_memory_is_an_error_and_the_next_one_comes(executor: str, crops: Path) -> None:
    with flow_with(crops, executor) as it:
        with pytest.raises(BatchMemoryError, match="batch_size") as caught:
            next(it)
        assert isinstance(caught.value, MemoryError)
        assert_same_batches(take(it, BATCHES - 1), take(flow(crops), BATCHES)[1:])


def test_a_hooks_own_memory_error_stays(crops: Path) -> None:
    def hook(x: Any) -> Any:
        raise MemoryError("mine")

    with flow(crops, preprocessing_function=hook) as it, pytest.raises(MemoryError) as caught:
        next(it)
    assert type(caught.value) is MemoryError


def refusing_from(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread can be started from the one with this number on."""
    plain, count = threading.Thread.start, [0]

    def start(thread: threading.Thread) -> None:
        count[0] += 1
        if count[0] >= number:
            raise RuntimeError("can't start new thread")
        plain(thread)

    monkeypatch.setattr(threading.Thread, "start", start)


def test_some_threads_that_cannot_start_are_done_without(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing_from(2, monkeypatch)
    executor = make_executor("threads", 3, disable_gpu=True)
    try:
        with flow(crops, executor) as it:
            assert_same_batches(take(it, BATCHES), take(flow(crops), BATCHES))
    finally:
        executor.close()


def test_no_thread_at_all_is_an_error(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing_from(1, monkeypatch)
    with flow_with(crops, "threads") as it, pytest.raises(WorkerStartError, match="serial"):
        next(it)


def test_a_time_limit_that_cannot_be_watched_is_an_error(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing_from(2, monkeypatch)
    with flow_with(crops, "threads", batch_timeout=50) as it:
        with pytest.raises(WorkerStartError):
            next(it)
        monkeypatch.undo()
        assert_same_batches([it[4]], [flow(crops)[4]])  # which was not begun then


def test_a_picture_that_cannot_be_saved_says_why(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = ImageDataGenerator(executor="serial").flow_from_directory(crops, save_to_dir=tmp_path)

    def replace(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(StorageError, match=r"save_to_dir.*No space left") as caught:
        next(it)
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
