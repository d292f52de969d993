"""Batches computed by a Ray cluster: several nodes, of which some go; what is refused; which cluster.

That batches, errors and cancelling are as everywhere is shown by the contract (`test_executors`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCH,
    BATCHES,
    SEED,
    SIZE,
    HoldAt,
    Signals,
    assert_same_batches,
    draw_globally,
    file_at,
    flow,
    take,
    wait_for,
)
from numpy.typing import NDArray
from programs import PROGRAMS
from ray_support import needs_ray

from imageloom import (
    BatchTimeoutError,
    DirectoryIterator,
    ImageDataGenerator,
    InvalidArgumentError,
    MissingDependencyError,
    WorkerDiedError,
)

pytestmark = needs_ray
WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with a processor each, on this machine."""
    import ray
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    nodes.add_node(**small)
    ray.init(address=nodes.address)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def far(crops: Path, **options: Any) -> DirectoryIterator:
    """As `flow`, on the cluster."""
    generator = ImageDataGenerator(executor="ray", **options)
    return generator.flow_from_directory(crops, target_size=SIZE, batch_size=BATCH, seed=SEED)


@pytest.mark.usefixtures("cluster")
def test_all_nodes_compute_and_the_report_and_the_trace_say_so(
    crops: Path, signals: Signals, tmp_path: Path
) -> None:
    options = {**AUGMENTED, "preprocessing_function": draw_globally}
    expected = take(flow(crops, **options), 4 * BATCHES)
    held = [file_at(flow(crops), position) for position in (1, 2)]
    hold = HoldAt(signals, *held)
    with far(crops, cores=-1, noaug_preprocessing_function=hold, **options) as it:
        received = take(it, 1)
        for file in held:  # one on each node
            signals.wait(f"held-{file}")
        signals.give("go")
        received += take(it, 4 * BATCHES - 1)
        report = it.report()
        trace = it.trace(tmp_path / "trace.json")
    events = json.loads(trace.path.read_text())["traceEvents"]
    computed = [event for event in events if event.get("cat") == "batch"]
    assert len(computed) == 4 * BATCHES
    names = {event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert all(any(name.endswith(f" on {node})") for name in names) for node in report.nodes)
    waiting = [event for event in events if event.get("cat") == "waiting"]
    last = max(event["ts"] + event["dur"] for event in waiting)
    assert max(event["ts"] + event["dur"] for event in computed) <= last + 1e5, "on the same clock"
    assert_same_batches(received, expected)
    assert report.workers == report.cpus == 2
    assert len(report.nodes) == 2
    assert sum(report.nodes.values()) == 4 * BATCHES - 1, "from the second batch on"
    assert report.away_seconds > 0
    for node in report.nodes:
        assert node in str(report)


def test_a_node_that_dies_costs_time_and_no_values(cluster: Any, crops: Path, signals: Signals) -> None:
    files = [file_at(flow(crops), position) for position in (1, 2, 3)]
    hook = HoldAt(signals, *files)
    expected = take(flow(crops, **AUGMENTED), 3 * BATCHES)
    doomed = cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    with far(crops, cores=-1, preprocessing_function=hook, **AUGMENTED) as it:
        received = take(it, 1)
        for file in files:  # one on each node
            signals.wait(f"held-{file}")
        cluster.remove_node(doomed, allow_graceful=False)
        signals.give("go")
        received += take(it, BATCHES)
        cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
        received += take(it, 2 * BATCHES - 1)
    assert_same_batches(received, expected)


@pytest.mark.usefixtures("cluster")
def test_a_batch_that_always_kills_is_an_error_that_names_its_files(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imageloom._executors.ray.dispatcher._RETRIES", 1)  # each starts a worker
    expected = take(flow(crops), BATCHES)
    file = file_at(flow(crops), 1)

    def end_the_process(params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        if filename == file:
            os._exit(1)
        return x

    with far(crops, preprocessing_function=end_the_process) as it:
        received = take(it, 1)
        with pytest.raises(WorkerDiedError, match=re.escape(file)):
            next(it)
        received += take(it, BATCHES - 2)
    assert_same_batches(received, [expected[0], *expected[2:]])


@pytest.mark.usefixtures("cluster")
def test_a_batch_that_hangs_is_an_error_that_names_its_files(
    crops: Path, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 3600.0  # starting a worker of Ray may take long: only the clock is put forward so far
    clock = SimpleNamespace(ahead=0.0, monotonic=lambda: time.monotonic() + clock.ahead)
    monkeypatch.setattr("imageloom._executors.ray.dispatcher.time", clock)
    file = file_at(flow(crops), 1)
    hook = HoldAt(signals, file)
    with far(crops, cores=1, batch_timeout=limit, preprocessing_function=hook) as it:
        next(it)
        signals.wait(f"held-{file}")
        clock.ahead = limit  # with one worker, no other batch is under way
        with pytest.raises(BatchTimeoutError, match=re.escape(file)):
            next(it)
        next(it)
    signals.give("go")


def test_the_end_of_the_connection_is_told(cluster: Any, crops: Path, signals: Signals) -> None:
    """Ray's futures never end then, and its next call would start a cluster of its own."""
    import ray

    expected = take(flow(crops), BATCHES)
    file = file_at(flow(crops), 1)
    generator = ImageDataGenerator(executor="ray", preprocessing_function=HoldAt(signals, file))
    options: dict[str, Any] = {"target_size": SIZE, "batch_size": BATCH, "seed": SEED}
    it = generator.flow_from_directory(crops, **options)
    next(it)
    with ThreadPoolExecutor(1) as consumer:
        waiting = consumer.submit(next, it)
        signals.wait(f"held-{file}")
        ray.shutdown()
        try:
            assert isinstance(waiting.exception(timeout=WAIT_SECONDS), WorkerDiedError)
            assert not ray.is_initialized()
        finally:
            ray.init(address=cluster.address)
    with pytest.raises(WorkerDiedError, match="shutdown"):
        next(it)
    signals.give("go")
    with generator.flow_from_directory(crops, **options) as anew:
        assert_same_batches(take(anew, BATCHES), expected)
    it.close()


def test_batches_of_another_connection_are_not_handed_out(cluster: Any, crops: Path) -> None:
    import ray

    with far(crops) as it:
        take(it, BATCHES)
        ray.shutdown()
        ray.init(address=cluster.address)
        with pytest.raises(WorkerDiedError, match="shutdown"):
            next(it)


@pytest.mark.usefixtures("cluster")
def test_bad_images_are_replaced_on_nodes_as_here(crops: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(crops, tmp_path / "crops")
    bad = file_at(flow(crops), 1)
    (folder / bad).write_bytes(b"no image")
    received = []
    for name in ("serial", "ray"):
        generator = ImageDataGenerator(executor=name, on_bad_image="replace", **AUGMENTED)
        it = generator.flow_from_directory(folder, target_size=SIZE, batch_size=BATCH, seed=SEED)
        with it:
            with pytest.warns(UserWarning, match=re.escape(bad)):
                received.append(take(it, BATCHES))
            assert [image.filename for image in it.bad_images] == [bad]
    assert_same_batches(*received)


@pytest.mark.usefixtures("cluster")
def test_inside_an_actor_and_a_task(crops: Path) -> None:
    import ray

    def first_batch(folder: str) -> Any:
        generator = ImageDataGenerator(executor="ray", cores=-1)
        with generator.flow_from_directory(folder, target_size=SIZE, batch_size=BATCH, seed=SEED) as it:
            return next(it)

    class Trainer:
        def first_batch(self, folder: str) -> Any:
            return first_batch(folder)

    references = [
        ray.remote(num_cpus=0)(first_batch).remote(str(crops)),
        ray.remote(num_cpus=0)(Trainer).remote().first_batch.remote(str(crops)),
    ]
    expected = take(flow(crops), 1)
    for batch in ray.get(references, timeout=WAIT_SECONDS):
        assert_same_batches([batch], expected)


@pytest.mark.usefixtures("cluster")
def test_the_array_of_a_closed_iterator_leaves_the_object_store() -> None:
    import ray
    from ray._private.internal_api import memory_summary

    here = ray.get_runtime_context().gcs_address  # other tests may have clusters of their own

    def held() -> int:
        found = re.search(r"Plasma memory usage (\d+) MiB", memory_summary(here, stats_only=True))
        assert found is not None
        return int(found[1])

    before = held()
    x = np.zeros((20, 512, 512, 3), np.uint8)  # 15 MiB
    with ImageDataGenerator(executor="ray", cores=-1).flow(x, batch_size=2, seed=1) as it:
        take(it, 10)
        assert held() >= before + 15
    wait_for(lambda: held() <= before, "the object store to forget the array", seconds=5)


@pytest.mark.usefixtures("cluster")
def test_a_large_global_of_many_iterators_is_put_once(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    sizes: list[int] = []
    put = ray.put

    def counted(value: Any) -> Any:
        sizes.append(getattr(value, "nbytes", 0))
        return put(value)

    monkeypatch.setattr(ray, "put", counted)
    array = np.full(2**20, 3, np.uint8)

    def hook(x: NDArray[Any]) -> NDArray[Any]:
        return x + array[-1]  # type: ignore[no-any-return]

    for value in (3, 3, 3, 4):
        array[-1] = value  # a change is seen, and costs another copy
        with far(crops, preprocessing_function=hook) as it:
            batches = take(it, 1)
        serial = ImageDataGenerator(executor="serial", preprocessing_function=hook)
        with serial.flow_from_directory(crops, target_size=SIZE, batch_size=BATCH, seed=SEED) as it:
            assert_same_batches(batches, take(it, 1))
    assert [size for size in sizes if size] == [array.nbytes] * 2


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("mapped", [False, True], ids=["in memory", "memmap"])
def test_images_of_arrays(mapped: bool, tmp_path: Path) -> None:
    x: Any = np.random.default_rng(3).integers(0, 256, (10, 14, 14, 3), dtype=np.uint8)
    if mapped:
        np.save(tmp_path / "x.npy", x)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
    serial, remote = (
        ImageDataGenerator(executor=name, rotation_range=20).flow(
            x, np.arange(10), batch_size=4, seed=2
        )
        for name in ("serial", "ray")
    )
    with remote:
        assert_same_batches(take(remote, 6), take(serial, 6))


@pytest.mark.usefixtures("cluster")
def test_batches_are_the_users(crops: Path) -> None:
    with far(crops) as it:
        kept = [next(it)[0] for _ in range(BATCHES)]
        copies = [images.copy() for images in kept]
        kept[0][:] = 0
        take(it, BATCHES)
    for images, copy in zip(kept[1:], copies[1:], strict=True):
        np.testing.assert_array_equal(images, copy)


@pytest.mark.usefixtures("cluster")
def test_statistics_are_those_of_one_machine(crops: Path) -> None:
    found = []
    for name in ("serial", "ray"):
        generator = ImageDataGenerator(
            executor=name, cores=-1, featurewise_center=True, featurewise_std_normalization=True
        )
        generator.fit(generator.flow_from_directory(crops, (20, 20), batch_size=4))
        found.append((generator.mean, generator.std))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_statistics_by_command(cluster: Any, crops: Path, tmp_path: Path) -> None:
    """In a process of its own, which connects to the cluster by RAY_ADDRESS."""
    found = []
    for name in ("serial", "ray"):
        subprocess.run(
            [sys.executable, "-m", "imageloom", "stats", str(crops), "--size", "20", "20",
             "-o", str(tmp_path / f"{name}.npz"), "--executor", name],
            env={**os.environ, "RAY_ADDRESS": cluster.address},
            timeout=WAIT_SECONDS,
            check=True,
        )  # fmt: skip
        with np.load(tmp_path / f"{name}.npz") as arrays:
            found.append((arrays["mean"], arrays["std"]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("cluster")
def test_decoded_images_are_kept_in_a_directory(crops: Path, tmp_path: Path) -> None:
    expected = take(flow(crops, **AUGMENTED), 2 * BATCHES)
    with far(crops, cache=tmp_path / "kept", **AUGMENTED) as it:
        assert_same_batches(take(it, 2 * BATCHES), expected)
        assert it.report().cache_hits > 0
    with pytest.raises(InvalidArgumentError, match="directory"):
        next(far(crops, cache="memory"))


def test_without_ray_it_says_what_to_install(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"imageloom\[ray\]"):
        next(far(crops))


def run_script(crops: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAMS / "executors/ray_without_close.py"), str(crops)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=True,
    )


def test_which_cluster_it_is(cluster: Any, crops: Path) -> None:
    """The one of RAY_ADDRESS, else one of its own, and it says which."""
    with ThreadPoolExecutor(2) as both:
        there, alone = both.map(partial(run_script, crops), [{"RAY_ADDRESS": cluster.address}, {}])
    assert f"connected to the cluster at {cluster.address}" in there.stderr
    assert "started a cluster on this machine" in alone.stderr
    assert there.stdout.split()[-2] == alone.stdout.split()[-2]
    for ended in (there, alone):
        assert ended.stderr.count("imageloom: Ray") == 1
        assert "Traceback" not in ended.stderr
