"""Batches on a device, moved there ahead: the CPU takes the part of the device."""

from __future__ import annotations

import gc
import json
import os
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from device_support import (
    TORCH_DEVICE,
    Recorder,
    arrays_of,
    assert_equal_batches,
    on_host,
    wait_until_computed,
)
from executor_support import BATCHES, RaiseAt, flow, flow_with, take
from programs import run_program

from imageloom import ArgumentTypeError, ImageDataGenerator, InvalidArgumentError, IteratorClosedError
from imageloom._adapters import torch_device
from imageloom._adapters.page_locks import PageLocks

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")


def on_device(it: Any, framework: str) -> Any:
    return (
        it.to_torch_dataset(device=TORCH_DEVICE, pin_memory=True)
        if framework == "torch"
        else it.to_jax()
    )


def is_array(part: Any, framework: str) -> bool:
    return isinstance(part, torch.Tensor if framework == "torch" else jax.Array)


both = pytest.mark.parametrize("framework", ["torch", "jax"])


@both
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
@pytest.mark.parametrize("class_mode", ["sparse", "input", None])
def test_batches_are_those_of_the_iterator(
    crops: Path, framework: str, executor: str, class_mode: str | None
) -> None:
    expected = take(flow_with(crops, "serial", class_mode=class_mode), 2 * BATCHES)
    with flow_with(crops, executor, class_mode=class_mode) as it:
        dataset = on_device(it, framework)
        assert len(dataset) == BATCHES
        received = [batch for _ in range(2) for batch in dataset]
        parts = [part for batch in received for part in (batch if class_mode else (batch,))]
        assert all(is_array(part, framework) for part in parts)
        assert_equal_batches(received, expected)


@both
def test_several_inputs_masks_and_weights_keep_their_structure(
    class_folder: Path, framework: str
) -> None:
    x, more = np.arange(6 * 8 * 8 * 3, dtype=np.uint8).reshape(6, 8, 8, 3), np.arange(6, dtype=np.int32)
    names = sorted(str(p.relative_to(class_folder)) for p in class_folder.glob("*/*.png"))
    frame = pd.DataFrame({"filename": names, "mask": names})
    generator = ImageDataGenerator(executor="threads", horizontal_flip=True)
    flows = [
        partial(generator.flow, (x, more), np.eye(6), sample_weight=np.ones(6)),
        partial(generator.flow, (x, more)),
        partial(
            generator.flow_from_dataframe, frame, class_folder,
            y_col="mask", class_mode="image", target_size=(8, 8),
        ),
    ]  # fmt: skip
    for opened in flows:
        expected = list(opened(batch_size=4, seed=1).to_torch_dataset())
        assert_equal_batches(list(on_device(opened(batch_size=4, seed=1), framework)), expected)


@both
def test_what_has_no_place_on_a_device_stays_as_it_is(crops: Path, framework: str) -> None:
    def batch(index: int, names: list[str], *_: Any) -> Any:
        return index, (
            {"a": np.ones((len(names), 2), ">f4"), "text": np.array(names)},
            [len(names), None],
        )

    it = flow(crops, get_batch_function=batch)
    parts, (count, nothing) = next(iter(on_device(it, framework)))
    assert is_array(parts["a"], framework)
    assert isinstance(parts["text"], np.ndarray)
    assert (count, nothing) == (4, None)


@both
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint8", "float32"])
def test_dtypes_stay(crops: Path, framework: str, dtype: str) -> None:
    generator = ImageDataGenerator(executor="serial", dtype=dtype)
    it = generator.flow_from_directory(crops, (9, 8), class_mode=None, shuffle=False)
    expected = np.asarray(it[0]).astype(np.float32)
    received = next(iter(on_device(it, framework)))
    assert str(received.dtype).removeprefix("torch.") == dtype
    found = on_host(received.float() if framework == "torch" else received).astype(np.float32)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_two_finished_batches_are_on_their_way(crops: Path, executor: str) -> None:
    generator = ImageDataGenerator(executor=executor, cores=1, max_batches_pending=3)
    with generator.flow_from_directory(crops, (8, 8), batch_size=4, seed=1) as it:
        mover = Recorder()
        batches = it._stream.one_pass(mover)
        for _ in range(BATCHES):
            next(batches)
            wait_until_computed(it)
        assert mover.ahead[1:] == [2] * (BATCHES - 1)  # also of the next epoch
        assert (mover.moves, mover.handed) == (BATCHES + 2, BATCHES)
    assert mover.released


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_early_ends_states_and_later_epochs(crops: Path, executor: str) -> None:
    expected = take(flow_with(crops, "serial"), 3 * BATCHES)
    with flow_with(crops, executor) as it:
        mover = Recorder()
        batches = it._stream.one_pass(mover)
        begun = [next(batches) for _ in range(BATCHES - 1)]  # the last one is on its way
        wait_until_computed(it)
        assert_equal_batches(begun, expected[: BATCHES - 1])
        within = it.state_dict()
        batches.close()
        assert_equal_batches(list(it._stream.one_pass(mover)), expected[:BATCHES])
        after = it.state_dict()
        assert_equal_batches(take(it, 2), expected[BATCHES : BATCHES + 2])
    for state, first in ((within, 0), (after, BATCHES)):
        with flow_with(crops, executor) as resumed:
            resumed.load_state_dict(state)
            received = list(resumed.to_jax())
        assert_equal_batches(received, expected[first : first + BATCHES])


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_an_error_comes_in_the_place_of_its_batch(crops: Path, executor: str) -> None:
    hook = RaiseAt("cat/02.jpg", lambda: ValueError("no cats"))
    with flow_with(crops, executor, preprocessing_function=hook) as it:
        order = [
            index for position in range(BATCHES) for index in it._order.sampler().spec(position).indices
        ]
        place = order.index(it.filenames.index(os.path.join("cat", "02.jpg"))) // 4
        received = []

        def read_all() -> None:
            for batch in it.to_torch_dataset(device=TORCH_DEVICE):
                wait_until_computed(it)
                received.append(batch)

        with pytest.raises(ValueError, match="no cats"):
            read_all()
        assert len(received) == place


@both
def test_changes_reach_batches_that_were_moved_ahead(crops: Path, framework: str) -> None:
    generator = ImageDataGenerator(executor="threads", cores=1, max_batches_pending=3)
    it = generator.flow_from_directory(crops, (8, 8), batch_size=4, shuffle=False, class_mode="sparse")
    batches = iter(on_device(it, framework))
    for _ in range(2):
        next(batches)
        wait_until_computed(it)
    it.classes = it.classes + 10
    _, y = next(batches)
    assert on_host(y).min() >= 10


@both
def test_a_closed_iterator_says_so(crops: Path, framework: str) -> None:
    it = flow_with(crops, "threads")
    batches = iter(on_device(it, framework))
    kept = next(batches)
    values = [part.copy() for part in arrays_of(kept)]
    it.close()
    with pytest.raises(IteratorClosedError):
        next(batches)
    for part, value in zip(arrays_of(kept), values, strict=True):
        np.testing.assert_array_equal(part, value)


@both
def test_batches_that_are_kept_never_change(crops: Path, framework: str) -> None:
    expected = take(flow_with(crops, "serial"), 4 * BATCHES)
    with flow_with(crops, "processes") as it:
        dataset = on_device(it, framework)
        assert_equal_batches([batch for _ in range(4) for batch in dataset], expected)


def test_a_sharding_divides_batches_or_says_why_not(crops: Path) -> None:
    mesh = jax.sharding.Mesh(jax.devices()[:1], ("batch",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    expected = take(flow(crops), BATCHES)
    received = list(flow(crops).to_jax(sharding))
    assert_equal_batches(received, expected)
    assert received[0][0].sharding == sharding


@pytest.mark.slow
def test_batches_are_divided_among_several_devices(crops: Path, tmp_path: Path) -> None:
    environment = {"CROPS": str(crops), "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = run_program("adapters/jax_two_devices.py", cwd=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["devices"] == 2
    assert found["read"] == BATCHES - 1, "the last batch has three samples"
    assert "choose a batch size" in found["error"]


@pytest.mark.parametrize(
    ("device", "kind", "text"),
    [
        ("cuda:99", InvalidArgumentError, "torch cannot use `device` 'cuda:99'"),
        ("gpuu", InvalidArgumentError, "torch cannot use `device` 'gpuu'"),
        ([], ArgumentTypeError, "`device` must be a `torch.device`"),
    ],
)
def test_devices_that_torch_does_not_have(crops: Path, device: Any, kind: type, text: str) -> None:
    with pytest.raises(kind, match=text):
        flow(crops).to_torch_dataset(device=device)


@pytest.mark.parametrize(
    ("device", "kind", "text"),
    [
        ("gpuu", InvalidArgumentError, "JAX cannot use `device` 'gpuu'"),
        (3, ArgumentTypeError, "`device` must be a `jax.Device`"),
    ],
)
def test_devices_that_jax_does_not_have(crops: Path, device: Any, kind: type, text: str) -> None:
    with pytest.raises(kind, match=text):
        flow(crops).to_jax(device)


class _Runtime:
    """Stands in for CUDA's functions that lock memory."""

    def __init__(self, refuses: bool = False) -> None:
        self.locked: dict[int, int] = {}
        self.calls = self.forgotten = 0
        self._refuses = refuses

    def cudaHostRegister(self, address: int, nbytes: int, flags: int) -> int:
        self.calls += 1
        if self._refuses:
            return 1
        assert address % 4096 == nbytes % 4096 == flags == 0
        assert all(address + nbytes <= a or a + n <= address for a, n in self.locked.items())
        self.locked[address] = nbytes
        return 0

    def forget(self) -> None:
        self.forgotten += 1
        raise RuntimeError("CUDA error: invalid argument")

    def cudaHostUnregister(self, address: int) -> int:
        del self.locked[address]
        return 0


class _LockingMover(Recorder):
    def __init__(self, runtime: _Runtime) -> None:
        super().__init__()
        self.locks = PageLocks(runtime, runtime.forget)
        self.results: list[bool] = []

    def move(self, batch: Any) -> Any:
        self.results.append(self.locks.lock(arrays_of(batch)))
        return super().move(batch)

    def release(self) -> None:
        super().release()
        self.locks.release()


def test_each_slot_is_locked_once_and_unlocked_before_it_goes(crops: Path) -> None:
    runtime = _Runtime()
    with flow_with(crops, "processes", class_mode="input") as it:
        mover = _LockingMover(runtime)
        for _ in range(4):
            for _batch in it._stream.one_pass(mover):
                pass
        assert all(mover.results)
        assert 0 < runtime.calls < 2 * BATCHES
        it.batch_size = 5  # a new channel, with other slots
        next(iter(it._stream.one_pass(mover)))
        assert runtime.locked
    assert runtime.locked == {}


def test_slots_are_unlocked_if_nobody_closes_anything(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = _Runtime()
    with flow_with(crops, "processes") as it:
        locks = PageLocks(runtime, runtime.forget)
        assert locks.lock(arrays_of(next(it)))
        monkeypatch.setattr(torch_device, "PageLocks", lambda *_: locks)
        monkeypatch.setattr(torch.cuda, "Stream", lambda _: _Stream())
        monkeypatch.setattr(torch.cuda, "cudart", lambda: runtime)
        mover = torch_device.TorchMover(torch.device("cuda"))
        del mover
        gc.collect()
        assert runtime.locked == {}


def test_data_sets_of_an_iterator_share_what_is_locked(crops: Path) -> None:
    with flow_with(crops, "threads") as it:
        for make in (lambda: it.to_torch_dataset(device=TORCH_DEVICE), it.to_jax):
            known = len(it._movers)
            for _ in range(2):
                make()
            assert len(it._movers) == known + 1


def test_where_nothing_can_be_locked_it_is_tried_once(crops: Path) -> None:
    runtime = _Runtime(refuses=True)
    with flow_with(crops, "processes") as it:
        mover = _LockingMover(runtime)
        assert len(list(it._stream.one_pass(mover))) == BATCHES
    assert (runtime.calls, runtime.forgotten, any(mover.results)) == (1, 1, False)


class _Event:
    def __init__(self) -> None:
        self.ended = False

    def query(self) -> bool:
        return self.ended

    def synchronize(self) -> None:
        self.ended = True


class _Stream:
    def __init__(self) -> None:
        self.events: list[_Event] = []

    def record_event(self) -> _Event:
        self.events.append(_Event())
        return self.events[-1]


class _Waiting:
    def __init__(self) -> None:
        self.waited: list[_Event] = []

    def wait_event(self, event: _Event) -> None:
        self.waited.append(event)


def test_a_slot_is_not_used_again_before_its_copy_has_ended(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imageloom._adapters.torch_device import TorchMover

    stream, current = _Stream(), _Waiting()
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: current)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    mover = TorchMover(torch.device("cpu"))
    mover._stream = stream
    with flow_with(crops, "processes") as it:
        batches = it._stream.one_pass(mover)
        pool_of = lambda: len(mover._copying)  # noqa: E731
        for number in range(3):
            next(batches)
            assert pool_of() >= number + 1, "nothing has ended"
        assert current.waited == stream.events[:3]
        for event in stream.events:
            event.ended = True
        next(batches)
        assert pool_of() <= 3
        mover.release()
        assert all(event.ended for event in stream.events)
        assert pool_of() == 0
