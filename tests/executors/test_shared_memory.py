"""Slots of shared memory: lent, handed out, kept by the user for as long as they like, reused."""

from __future__ import annotations

import errno
import gc
import importlib.util
import math
import os
import resource
import sys
from collections.abc import Callable, Iterator
from mmap import PAGESIZE, mmap
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from executor_support import AUGMENTED, BATCHES, assert_same_batches, flow, take
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray
from programs import run_program

from imageloom import ImageDataGenerator
from imageloom._executors.base import KEPT_BATCHES
from imageloom._executors.shared import make_executor
from imageloom._executors.workers.shared_memory import AttachedSlots, SlotPool
from imageloom._pipeline.layout import BatchLayout

LAYOUT = BatchLayout(rows=3, row_shape=(5, 2), dtype="float32")
MAPPINGS = Path("/proc/self/maps")


@pytest.fixture
def pool() -> Iterator[SlotPool]:
    """Slots for two batches in flight and two that are kept."""
    made = SlotPool(LAYOUT, in_flight=2, kept=2)
    yield made
    made.close()


def attach(pool: SlotPool) -> AttachedSlots:
    """The pool as a worker sees it, in this process."""
    segment = pool.segment
    memory = segment.ticket.open(lambda: os.dup(*segment.descriptors))
    return AttachedSlots(pool.layout, memory)


def fill(slots: AttachedSlots, slot: int, rows: int, value: float) -> None:
    """As a worker does."""
    for array in slots.arrays(slot, rows):
        array[...] = value


def owner(array: NDArray[Any]) -> object:
    """What the memory of an array belongs to in the end."""
    base: Any = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return base


# One pool


def test_what_a_worker_writes_is_handed_out_without_a_copy(pool: SlotPool) -> None:
    slots = attach(pool)
    slot = pool.lease()
    assert slot is not None
    fill(slots, slot, 2, 7)
    (array,) = pool.hand_out(slot, 2)
    assert array.shape == (2, 5, 2)
    assert array.dtype == np.float32
    assert array.flags.writeable
    assert isinstance(owner(array), mmap)
    fill(slots, slot, 2, 8)
    assert np.all(array == 8), "the very memory of the worker"


def test_two_arrays_of_a_batch_do_not_overlap() -> None:
    layout = BatchLayout(rows=3, row_shape=(5, 2), dtype="float32", copies=2)
    pool = SlotPool(layout, in_flight=1, kept=1)
    slots, slot = attach(pool), pool.lease()
    assert slot is not None
    one, other = pool.hand_out(slot, 3)
    fill(slots, slot, 3, 4)
    one[...] = 5
    assert np.all(other == 4)
    again = pool.lease(), pool.lease()
    assert again.count(None) == 1, "one slot is kept"
    del one
    assert pool.lease() is None, "its twin still lives"
    del other
    assert pool.lease() == slot
    pool.close()


def test_slots_run_out_and_come_back_lowest_first(pool: SlotPool) -> None:
    leased = [pool.lease() for _ in range(4)]
    assert leased == [0, 1, 2, 3]
    assert pool.lease() is None
    for slot in (3, 1, 2):
        pool.give_back(slot)
    assert [pool.lease() for _ in range(4)] == [1, 2, 3, None]


def test_a_worker_gets_slots_that_it_has_used_before_others(pool: SlotPool) -> None:
    assert [pool.lease({2, 3}), pool.lease({2, 3}), pool.lease({2, 3})] == [2, 3, 0]
    pool.give_back(3)
    assert pool.lease({0}) == 1, "none of its own is free"
    assert pool.lease() == 3
    assert pool.lease({0, 1, 2, 3}) is None


class Refusing(mmap):
    """Memory on a system that cannot show many pages at once."""

    def madvise(self, *_: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


@pytest.mark.parametrize("kind", [mmap, Refusing])
def test_slots_keep_what_is_in_them_when_a_worker_is_shown_their_pages(kind: type[mmap]) -> None:
    layout = BatchLayout(rows=3, row_shape=(500, 3), dtype="float32", raw_shape=(40, 50))
    memory = kind(-1, 4 * layout.nbytes)
    for slot in range(4):
        content = layout.arrays(memory, slot * layout.nbytes, 3)[0]
        content[...] = slot + 1
    slots = AttachedSlots(layout, memory)
    for slot, rows in ((1, 2), (1, 3), (3, 3), (0, 3), (0, 3)):  # the last batch may be short
        slots.show(slot, rows)
        assert np.all(slots.arrays(slot, rows)[0] == slot + 1)


@pytest.mark.skipif(sys.platform != "linux", reason="counts pages as Linux shows them")
def test_all_pages_of_a_slot_are_shown_before_the_first_batch() -> None:
    layout = BatchLayout(rows=4, row_shape=(256, 256), dtype="float32")
    pool = SlotPool(layout, in_flight=2, kept=1)
    slots = attach(pool)
    slots.show(1, 4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    fill(slots, 1, 4, 1)
    fresh = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    if tuple(map(int, os.uname().release.split(".")[:2])) >= (5, 14):
        assert fresh < layout.nbytes / PAGESIZE / 4
    assert np.all(pool.hand_out(1, 4)[0] == 1)
    pool.close()


def shared_memory_of_the_worker(index: int, *_: Any) -> Any:
    return index, psutil.Process().memory_info().shared


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_a_batch_function_takes_no_memory_for_images_that_it_does_not_return(crops: Path) -> None:
    size, batch = (3000, 3000), 4
    images = batch * 3 * 4 * math.prod(size)
    options: dict[str, Any] = {"get_batch_function": shared_memory_of_the_worker}
    generator = ImageDataGenerator(cores=1, executor="processes", **options)
    with generator.flow_from_directory(crops, target_size=size, batch_size=batch) as it:
        found = [next(it) for _ in range(4)]
    assert max(found) < images / 2


def leased_and_handed_out(pool: SlotPool, rows: int = 3) -> tuple[int, NDArray[Any]]:
    slot = pool.lease()
    assert slot is not None
    return slot, pool.hand_out(slot, rows)[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_slot_that_a_forked_child_may_still_read_is_never_used_again(pool: SlotPool) -> None:
    slot, array = leased_and_handed_out(pool)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    later, after_the_fork = leased_and_handed_out(pool)
    del array, after_the_fork
    free = {pool.lease() for _ in range(4)}
    assert slot not in free
    assert later in free


def test_beyond_the_bound_batches_are_copies_and_the_stream_goes_on(pool: SlotPool) -> None:
    slots = attach(pool)
    kept = []
    for value in range(20):
        slot = pool.lease()
        assert slot is not None, "keeping batches must never stop the stream"
        fill(slots, slot, 3, value)
        kept.append(pool.hand_out(slot, 3)[0])
    assert [isinstance(owner(array), mmap) for array in kept] == [True] * 2 + [False] * 18
    assert all(np.all(array == value) for value, array in enumerate(kept))
    assert all(array.flags.writeable for array in kept)
    del kept[0]
    assert isinstance(owner(leased_and_handed_out(pool)[1]), mmap), "one place is free again"


VIEWS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "itself": lambda array: array,
    "slice": lambda array: array[1:],
    "one row": lambda array: array[0],
    "view of a view": lambda array: array[::2].T[1:],
    "transposed": lambda array: array.T,
    "reinterpreted": lambda array: array.view(np.uint8),
    "dlpack": np.from_dlpack,
    "memoryview": memoryview,
    "iterator": lambda array: next(iter(array)),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_a_slot_is_reused_only_after_its_last_view(
    pool: SlotPool, view: Callable[[NDArray[Any]], Any]
) -> None:
    slot, array = leased_and_handed_out(pool)
    array[...] = 3
    seen = view(array)
    assert np.shares_memory(np.asarray(seen), array)
    content = np.array(seen)
    del array
    others = [pool.lease() for _ in range(4)]
    assert slot not in others
    for other in others[:-1]:
        assert other is not None
        pool.give_back(other)
    np.testing.assert_array_equal(np.asarray(seen), content)
    del seen
    gc.collect()
    assert pool.lease() == slot


FRAMEWORKS = ("torch", "torch-dlpack", "jax", "tensorflow")


@pytest.mark.frameworks
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_frameworks_keep_a_slot_alive(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(name.partition("-")[0]) is None:
        pytest.skip(f"{name} is not installed")
    done = run_program("executors/framework_keeps_a_slot.py", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["unchanged True", "free [0, 1, 2, 3]"]


class Slots(RuleBasedStateMachine):
    """A pool, and beside it a plain account of who holds what."""

    @initialize(in_flight=st.integers(1, 4), kept=st.integers(0, 4), copies=st.integers(1, 2))
    def make(self, in_flight: int, kept: int, copies: int) -> None:
        layout = BatchLayout(rows=3, row_shape=(5,), dtype="int32", copies=copies)
        self.pool = SlotPool(layout, in_flight, kept)
        self.slots = attach(self.pool)
        self.bound, self.count = kept, in_flight + kept
        self.leased: list[int] = []
        self.next_value = 0
        # Each batch that is kept: slot (None: a copy), the arrays or views that live, their value.
        self.kept: list[tuple[int | None, list[NDArray[Any]], int]] = []

    def lent(self) -> set[int]:
        return {slot for slot, _, _ in self.kept if slot is not None}

    @rule()
    def lease(self) -> None:
        slot = self.pool.lease()
        free = set(range(self.count)) - set(self.leased) - self.lent()
        assert slot == min(free, default=None)
        if slot is not None:
            self.leased.append(slot)

    @precondition(lambda self: self.leased)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(self.leased))
        self.leased.remove(slot)
        self.pool.give_back(slot)

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), rows=st.integers(0, 3), views=st.booleans())
    def hand_out(self, data: st.DataObject, rows: int, views: bool) -> None:
        slot = data.draw(st.sampled_from(self.leased))
        self.leased.remove(slot)
        self.next_value += 1
        fill(self.slots, slot, rows, self.next_value)
        full = len(self.lent()) >= self.bound
        arrays = list(self.pool.hand_out(slot, rows))
        assert all(isinstance(owner(array), mmap) != full for array in arrays)
        if views:
            arrays = [array[1:] for array in arrays]
        self.kept.append((None if full else slot, arrays, self.next_value))

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def drop_one_array(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.kept) - 1))
        _, arrays, _ = self.kept[number]
        arrays.pop(data.draw(st.integers(0, len(arrays) - 1)))
        if not arrays:
            self.kept.pop(number)

    @precondition(lambda self: self.leased)
    @rule()
    def workers_write_into_all_that_is_leased(self) -> None:
        for slot in self.leased:
            fill(self.slots, slot, 3, -1)

    @invariant()
    def kept_batches_are_as_they_were(self) -> None:
        for _, arrays, value in getattr(self, "kept", []):
            assert all(np.all(array == value) for array in arrays)

    def teardown(self) -> None:
        self.kept = []
        if hasattr(self, "pool"):
            self.pool.close()


Slots.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestSlots = pytest.mark.slow(Slots.TestCase)


# Through an iterator


@pytest.mark.slow
def test_kept_batches_never_change(crops: Path) -> None:
    expected = take(flow(crops, **AUGMENTED), 5 * BATCHES)
    executor = make_executor("processes", 2, disable_gpu=True)
    with flow(crops, executor, pending=2, **AUGMENTED) as it:
        kept = take(it, 5 * BATCHES)
    executor.close()
    assert_same_batches(kept, expected)
    shared = [isinstance(owner(images), mmap) for images, _ in kept]
    assert shared == [True] * KEPT_BATCHES + [False] * (5 * BATCHES - KEPT_BATCHES)
    for images, targets in kept:
        assert images.flags.writeable
        assert targets.flags.writeable
        images.fill(1)


@pytest.mark.slow
def test_a_batch_that_the_user_overwrites_does_not_come_back(crops: Path) -> None:
    expected = take(flow(crops, **AUGMENTED), 3 * BATCHES)
    executor = make_executor("processes", 2, disable_gpu=True)
    with flow(crops, executor, pending=1, **AUGMENTED) as it:
        for right in expected:
            batch = next(it)
            assert_same_batches([batch], [right])
            batch[0].fill(-1)
    executor.close()


@pytest.mark.slow
def test_a_loop_that_keeps_up_touches_few_slots(crops: Path) -> None:
    executor = make_executor("processes", 1, disable_gpu=True)
    with flow(crops, executor, pending=1) as it:
        places = {next(it)[0].ctypes.data for _ in range(4 * BATCHES)}
    executor.close()
    assert len(places) <= 4, "pages are taken slot by slot; it need not be all of them"


@pytest.mark.slow
@pytest.mark.skipif(not MAPPINGS.exists(), reason="reads Linux' list of mappings")
def test_close_gives_the_memory_back_while_the_iterator_lives(crops: Path) -> None:
    executor = make_executor("processes", 1, disable_gpu=True)
    it = flow(crops, executor)
    kept = next(it)
    it.close()
    executor.close()
    del kept
    gc.collect()
    assert it.is_shutdown
    assert "memfd:imageloom" not in MAPPINGS.read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are listed in /proc")
def test_iterators_come_and_go_without_a_trace(crops: Path) -> None:
    executor = make_executor("processes", 1, disable_gpu=True)
    counts = []
    for _ in range(20):
        with flow(crops, executor) as it:
            next(it)
        del it
        counts.append(len(os.listdir("/proc/self/fd")))
    executor.close()
    # An iterator's descriptors are closed in the background, and a message that waits has copies.
    assert min(counts[-5:]) <= max(counts[:5]), counts
