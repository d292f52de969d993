"""What the user keeps of a batch stays as it was, for as long as it is kept; the rest is used again."""

from __future__ import annotations

import gc
import hashlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCHES,
    assert_same_batches,
    flow,
    take,
    worker_processes,
)
from numpy.typing import NDArray
from programs import run_program

from imageloom import DirectoryIterator
from imageloom._executors.base import KEPT_BATCHES, Executor
from imageloom._executors.shared import make_executor

MAPPINGS = Path("/proc/self/maps")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' list of mappings")


@pytest.fixture
def two_workers() -> Iterator[Executor]:
    executor = make_executor("processes", 2, disable_gpu=True)
    yield executor
    executor.close()


def checksum(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


# Kept for ever


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, KEPT_BATCHES, 2 * KEPT_BATCHES])
def test_kept_batches_do_not_change_while_200_others_pass(
    crops: Path, two_workers: Executor, count: int
) -> None:
    with flow(crops, two_workers, pending=2, **AUGMENTED) as it:
        kept = take(it, count)
        sums = [[checksum(part) for part in batch] for batch in kept]
        passed = {checksum(next(it)[0]) for _ in range(200)}
        assert len(passed) > 190, "they are others"
        assert [[checksum(part) for part in batch] for batch in kept] == sums
    assert [[checksum(part) for part in batch] for batch in kept] == sums, "after the end, too"


@pytest.mark.slow
def test_one_batch_of_each_epoch_is_kept(crops: Path, two_workers: Executor) -> None:
    """Old and young leases mixed: slots come back out of order."""
    expected = take(flow(crops, **AUGMENTED), 20 * BATCHES)
    kept = {}
    with flow(crops, two_workers, pending=3, **AUGMENTED) as it:
        for number in range(20 * BATCHES):
            batch = next(it)
            if number % BATCHES == number // BATCHES % BATCHES:
                kept[number] = batch
            if number % 50 == 49:
                kept.pop(min(kept))
            del batch
    assert len(kept) > KEPT_BATCHES
    assert_same_batches(list(kept.values()), [expected[number] for number in kept])


@pytest.mark.slow
def test_300_kept_batches_are_right_and_stop_nothing(crops: Path, two_workers: Executor) -> None:
    expected = take(flow(crops, **AUGMENTED), 300)
    with flow(crops, two_workers, pending=2, **AUGMENTED) as it:
        kept = take(it, 300)
    assert_same_batches(kept, expected)


@pytest.mark.slow
@pytest.mark.parametrize("readers", [2, 6])
def test_threads_that_keep_all_they_read(crops: Path, two_workers: Executor, readers: int) -> None:
    share = 300 // readers
    expected = sorted(checksum(images) for images, _ in take(flow(crops, **AUGMENTED), 300))
    kept: list[tuple[NDArray[Any], str]] = []
    with flow(crops, two_workers, pending=2, **AUGMENTED) as it:

        def read() -> None:
            for _ in range(share):
                images, _ = next(it)
                kept.append((images, checksum(images)))

        threads = [threading.Thread(target=read, daemon=True) for _ in range(readers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not [thread for thread in threads if thread.is_alive()], "nobody waits for a slot"
    assert sorted(first for _, first in kept) == expected
    assert all(checksum(images) == first for images, first in kept)


@pytest.mark.slow
def test_batches_asked_for_by_number_from_threads_that_keep_them(
    crops: Path, two_workers: Executor
) -> None:
    plain = flow(crops, **AUGMENTED)
    expected = [checksum(plain[i][0]) for i in range(BATCHES)]
    kept: list[tuple[int, NDArray[Any]]] = []
    with flow(crops, two_workers, pending=1, **AUGMENTED) as it:

        def read(first: int) -> None:
            for i in range(5 * BATCHES):
                number = (first + i) % BATCHES
                kept.append((number, it[number][0]))

        threads = [threading.Thread(target=read, args=(i,), daemon=True) for i in range(BATCHES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not [thread for thread in threads if thread.is_alive()]
    assert len(kept) == 5 * BATCHES * BATCHES
    assert all(checksum(images) == expected[number] for number, images in kept)


# Views that outlive the iterator

VIEWS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "asarray": np.asarray,
    "slice": lambda images: images[1:3],
    "one image": lambda images: images[0],
    "one channel": lambda images: images[..., 0],
    "transposed": lambda images: images.transpose(0, 3, 1, 2),
    "reshaped": lambda images: images.reshape(len(images), -1),
    "other dtype": lambda images: images.view("uint8"),
    "dlpack": np.from_dlpack,
    "memoryview": memoryview,
}


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_a_view_outlives_batch_iterator_and_workers(
    crops: Path, view: Callable[[NDArray[Any]], Any]
) -> None:
    executor = make_executor("processes", 1, disable_gpu=True)
    it: DirectoryIterator | None = flow(crops, executor, pending=1, **AUGMENTED)
    assert it is not None
    images: NDArray[Any] | None = next(it)[0]
    assert images is not None
    seen = view(images)
    assert np.shares_memory(np.asarray(seen), images)
    before = checksum(np.asarray(seen))
    images = None
    for _ in range(3 * BATCHES):
        next(it)
    it.close()
    it = None
    executor.close()
    gc.collect()
    assert not worker_processes()
    assert checksum(np.asarray(seen)) == before


@pytest.mark.slow
@linux_only
def test_the_memory_goes_with_the_last_view(crops: Path) -> None:
    executor = make_executor("processes", 1, disable_gpu=True)
    with flow(crops, executor) as it:
        seen = next(it)[0][1:, ::2]
    executor.close()
    del it
    gc.collect()
    assert "memfd:imageloom" in MAPPINGS.read_text()
    del seen
    gc.collect()
    assert "memfd:imageloom" not in MAPPINGS.read_text()


FRAMEWORKS = ("torch", "torch-dlpack", "jax", "jax-dlpack")


@pytest.mark.frameworks
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_what_a_framework_took_outlives_the_iterator(crops: Path, tmp_path: Path, name: str) -> None:
    if importlib.util.find_spec(name.partition("-")[0]) is None:
        pytest.skip(f"{name} is not installed")
    environment = {"CROPS": str(crops)}
    done = run_program(
        "executors/framework_keeps_a_batch.py", name, cwd=tmp_path, environment=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["same 12", "alone 11"]


# Used again


def places(it: DirectoryIterator, batches: int, keep: int = 0) -> set[int]:
    """Addresses of the images of so many batches, of which the latest are kept."""
    kept: list[Any] = []
    found = set()
    for _ in range(batches):
        batch = next(it)
        found.add(batch[0].ctypes.data)
        kept.append(batch)
        del batch
        del kept[: max(0, len(kept) - keep)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("keep", [0, 1, 4])
def test_dropped_batches_are_written_over(crops: Path, two_workers: Executor, keep: int) -> None:
    with flow(crops, two_workers, pending=2) as it:
        found = places(it, 200, keep)
    # Two that wait, one in work for each worker, one on its way; what is kept, and what is looked at.
    assert len(found) <= 2 + 2 + 1 + keep + 1


@pytest.mark.slow
def test_batches_kept_for_a_while_make_room_again(crops: Path, two_workers: Executor) -> None:
    fewest = 2 + 2 + 2  # what may wait, be in work, and be looked at
    with flow(crops, two_workers, pending=2) as it:
        kept = take(it, 5 * KEPT_BATCHES)
        del kept
        gc.collect()
        # Some were under way, in slots further up, and a busy machine lets go of them late.
        settled = any(len(places(it, 50)) <= fewest for _ in range(50))
        everywhere = places(it, 50, keep=2 * KEPT_BATCHES)
    assert settled
    assert len(everywhere) > fewest, "the count can tell"


@pytest.mark.slow
@linux_only
def test_a_loop_takes_no_more_memory_than_its_slots(crops: Path, two_workers: Executor) -> None:
    def resident() -> int:
        sizes, ours = [], False
        for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
            if "-" in line.split(maxsplit=1)[0]:
                ours = "memfd:imageloom" in line
            elif ours and line.startswith("Rss:"):
                sizes.append(int(line.split()[1]) * 1024)
        return sum(sizes)

    with flow(crops, two_workers, pending=2) as it:
        slot = 4096 * -(-(4 * 24 * 24 * 3 * 4 + 64) // 4096)
        places(it, 50)
        early = resident()
        places(it, 150)
        assert 0 < early <= 6 * slot
        assert resident() <= 6 * slot
