"""How much memory a cache gets, and that it leaves the rest alone."""

from __future__ import annotations

import gc
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCHES, SAMPLES, assert_same_batches, flow, take, wait_for

from imageloom import ImageDataGenerator
from imageloom._api import planning
from imageloom._machine import worker_count
from imageloom._pipeline import cache
from imageloom._pipeline.cache_promises import promised
from imageloom._pipeline.layout import BatchLayout

ROW = 24 * 24 * 3 + 4  # bytes of an image and its mark
BATCH_NBYTES = 28_672  # of a slot: four images of float32, in whole pages
WORKER = 64 * 2**20


def open_cached(folder: Path, **options: Any) -> Any:
    return flow(folder, cache="memory", shuffle=False, **options)


@pytest.fixture(autouse=True)
def no_promises() -> None:
    """Iterators of other tests are gone; their threads end after their current batch."""
    gc.collect()
    wait_for(lambda: promised() == 0, "the end of what other tests promised")


@pytest.mark.parametrize("shape", [(24, 24, 3), (5, 5, 1), (1, 1, 3)])
def test_a_row_that_is_not_all_there_is_decoded_again(shape: tuple[int, int, int]) -> None:
    plan = cache.CachePlan(2, shape)
    memory = mmap(-1, plan.nbytes)
    image = np.arange(1, plan.row_nbytes + 1).astype(np.uint8).reshape(shape)
    assert cache.open_store(plan, memory).pixels(1, lambda: image) is image

    def missing() -> Any:
        raise LookupError

    kept = cache.open_store(plan, memory).pixels(1, missing)
    np.testing.assert_array_equal(kept, image)
    for place in range(plan.row_nbytes):
        memory[plan.nbytes - 1 - place] ^= 0xFF  # of the last row
        with pytest.raises(LookupError):
            cache.open_store(plan, memory).pixels(1, missing)
        memory[plan.nbytes - 1 - place] ^= 0xFF


@pytest.mark.slow
@pytest.mark.parametrize("images", [0, 1, 7, SAMPLES, 1000])
@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_a_cache_gets_a_quarter_of_what_batches_and_workers_leave(
    kind: str, images: int, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = []
    plan_cache = planning.plan_cache

    def note(*arguments: Any, **named: Any) -> Any:
        planned.append(plan_cache(*arguments, **named))
        return planned[-1]

    workers = 0 if kind == "serial" else worker_count(1)
    needs = (4 + workers + 1 + 8) * BATCH_NBYTES + (WORKER if kind == "processes" else 0)
    monkeypatch.setattr(planning, "plan_cache", note)
    monkeypatch.setattr(planning, "free_memory", lambda: needs + 4 * images * ROW)
    generator = ImageDataGenerator(executor=kind, cores=1, cache="memory", max_batches_pending=4)
    it = generator.flow_from_directory(crops, target_size=(24, 24), batch_size=4, seed=1)
    if images:
        next(it)
    else:
        with pytest.warns(UserWarning, match="`cache` keeps nothing"):
            next(it)
    assert planned[0].rows == min(images, SAMPLES)
    it.close()


def test_what_one_cache_may_still_take_is_not_promised_to_another(crops: Path) -> None:
    first = open_cached(crops)
    take(first, 1)
    assert promised() == (SAMPLES - 4) * (ROW - 4)
    second = open_cached(crops, cache_limit=10 * ROW)
    take(second, 1)
    assert promised() == (SAMPLES - 4 + 10 - 4) * (ROW - 4)
    take(first, BATCHES - 1)
    assert promised() == (10 - 4) * (ROW - 4)
    first.close()
    second.close()
    del first, second
    gc.collect()
    wait_for(lambda: promised() == 0, "the end of the threads that promised")


def test_the_share_of_a_second_cache_is_of_the_rest(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "free_memory", lambda: 10**6)
    options = ImageDataGenerator(executor="serial")._options()
    layout = BatchLayout(4, (24, 24, 3), "float32")
    before = planning._free_for_cache(options, layout)
    first = open_cached(crops, cache_limit=10 * ROW)
    take(first, 1)
    assert before - planning._free_for_cache(options, layout) == (10 - 4) * (ROW - 4)


def test_a_cache_does_not_grow_any_more_when_memory_is_scarce(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [10 * cache._LEFT_FREE]
    monkeypatch.setattr(cache, "free_memory", lambda: free[0])
    monkeypatch.setattr(cache, "_CHECKED_NBYTES", 0)
    expected = take(flow(crops, shuffle=False), 2 * BATCHES)
    it = open_cached(crops)
    received = take(it, 2)
    free[0] = cache._LEFT_FREE - 1  # the model has taken it
    received += take(it, 2 * BATCHES - 2)
    assert_same_batches(received, expected)
    assert it.report().cache_hits == 8


def test_memory_is_asked_about_now_and_then_only(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def free_memory() -> int:
        asked.append(1)
        return 2**40

    monkeypatch.setattr(cache, "free_memory", free_memory)
    monkeypatch.setattr(cache, "_CHECKED_NBYTES", 5 * (ROW - 4))
    it = open_cached(crops)
    take(it, BATCHES)
    assert len(asked) == SAMPLES // 6
    assert it.report().cache_hits == 0
