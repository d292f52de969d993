"""Functions that cannot be sent are computed by the reader while the work is small, then by threads."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from executor_support import (
    BATCH,
    BATCHES,
    SEED,
    SIZE,
    assert_same_batches,
    flow,
    take,
    worker_processes,
)
from holding_hooks import STAYS

from imageloom import DirectoryIterator, ImageDataGenerator
from imageloom._executors import adaptive

pytestmark = [pytest.mark.adaptive, pytest.mark.usefixtures("busy_program")]


def adaptive_flow(folder: Path, **options: Any) -> DirectoryIterator:
    generator = ImageDataGenerator(executor="processes", cores=2, **options)
    return generator.flow_from_directory(folder, SIZE, batch_size=BATCH, seed=SEED)


LAZY = """
class Lazy:
    made = None

    def __call__(self, x):
        self.made = self.made or cv2.createCLAHE(3.0)
        return x + int(self.made.getClipLimit())
"""


def holding(clahe: Any) -> Callable[[Any], Any]:
    return lambda x: x + np.float32(clahe.getClipLimit())


def test_a_function_that_stays_is_told_of_at_once_and_starts_nothing(crops: Path) -> None:
    options = {"preprocessing_function": holding(cv2.createCLAHE(3.0))}
    with flow(crops, **options) as it:
        expected = take(it, 2)
    threads = threading.active_count()
    with adaptive_flow(crops, **options) as it:
        with pytest.warns(UserWarning, match=f"^`preprocessing_function` {STAYS}.*`clahe`") as caught:
            assert_same_batches([next(it)], expected[:1])
        assert len(caught) == 1
        assert_same_batches([next(it)], expected[1:])  # it is said once
        assert threading.active_count() == threads
        assert str(caught[0].message).startswith(str(it.report().fallback))


@pytest.mark.parametrize("kind", ["draws", "draws not"])
def test_a_function_that_stays_goes_to_threads_where_others_go_to_workers(
    crops: Path, kind: str, worth_it: None
) -> None:
    clahe = cv2.createCLAHE(3.0)

    def noisy(x: Any) -> Any:
        return x + np.float32(clahe.getClipLimit() + np.random.rand())

    options = {"preprocessing_function": noisy if kind == "draws" else holding(clahe)}
    with flow(crops, **options) as it:
        expected = take(it, 3 * BATCHES)
    before = worker_processes().keys()
    with adaptive_flow(crops, **options) as it:
        with pytest.warns(UserWarning, match=f"^`preprocessing_function` {STAYS}.*`clahe`") as caught:
            assert_same_batches(take(it, 3 * BATCHES), expected)
        assert len(caught) == 1
        assert "`clahe`" in str(it.report().fallback)
    assert worker_processes().keys() == before


def test_what_a_function_makes_when_it_is_first_called_keeps_it_from_no_worker(
    crops: Path, worth_it: None
) -> None:
    scope = {"__name__": "__main__", "cv2": cv2}
    exec(LAZY, scope)
    it = adaptive_flow(crops, preprocessing_function=scope["Lazy"]())  # type: ignore[operator]
    with it, warnings.catch_warnings():
        warnings.simplefilter("error")
        take(it, 3)
        assert it.report().workers_started


def test_functions_that_stay_never_run_at_the_same_time(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One iterator is computed by its reader, while threads compute the other one."""
    clahe, alone = cv2.createCLAHE(3.0), threading.Lock()

    def hook(x: Any) -> Any:
        assert alone.acquire(blocking=False), "two at the same time"
        try:
            return x + clahe.apply(np.zeros((300, 300), np.uint8))[0, 0]
        finally:
            alone.release()

    small, large = (adaptive_flow(crops, preprocessing_function=hook) for _ in range(2))
    with pytest.warns(UserWarning, match=STAYS):
        next(small)
    monkeypatch.setattr(adaptive, "_START_SECONDS", 0.0)
    monkeypatch.setattr(adaptive, "_PASSING_SECONDS", 0.0)
    with pytest.warns(UserWarning, match=STAYS):
        take(large, 2)
    monkeypatch.setattr(adaptive, "_PASSING_SECONDS", 1000.0)
    with small, large, warnings.catch_warnings():
        warnings.filterwarnings("ignore", f".*{STAYS}")
        for _ in range(2 * BATCHES):
            next(large)  # others are computed ahead
            next(small)
