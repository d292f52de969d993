"""What people suffer from elsewhere, one test for each complaint."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from ending_programs import running
from executor_support import (
    AUGMENTED,
    BATCH,
    BATCHES,
    SAMPLES,
    SEED,
    SIZE,
    Lent,
    Signals,
    assert_same_batches,
    flow,
    take,
    wait_for,
    worker_processes,
)
from numpy.typing import NDArray
from PIL import Image

from imageloom import (
    BadImageError,
    DirectoryIterator,
    ImageDataGenerator,
    IteratorClosedError,
)
from imageloom._executors.shared import make_executor

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals as in POSIX")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' /proc")


def own_flow(folder: Path, executor: str, **options: Any) -> DirectoryIterator:
    """As `flow`, with an executor that the generator makes by its name."""
    generator = ImageDataGenerator(executor=executor, **options)
    return generator.flow_from_directory(folder, target_size=SIZE, batch_size=BATCH, seed=SEED)


# Hangs


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 3, 5, 8])
def test_no_number_of_workers_hangs_at_the_end_of_an_epoch(crops: Path, workers: int) -> None:
    executor = make_executor("processes", workers, disable_gpu=True)
    done = threading.Event()

    def read() -> None:
        with flow(crops, executor, pending=1) as it:
            for _ in range(4):
                it.on_epoch_begin()
                assert sum(len(it[i][0]) for i in range(len(it))) == SAMPLES
                it.on_epoch_end()
            assert sum(len(next(it)[0]) for _ in range(4 * BATCHES)) == 4 * SAMPLES
        done.set()

    threading.Thread(target=read, daemon=True).start()
    assert done.wait(60)
    executor.close()


def test_fewer_samples_than_half_a_batch_do_not_hang(crops: Path) -> None:
    generator = ImageDataGenerator(cores=2, max_samples_per_class=1)
    with generator.flow_from_directory(crops, target_size=(24, 24), batch_size=64) as it:
        assert len(it) == 1
        for _ in range(3):
            images, targets = next(it)
            assert (images.shape, targets.shape) == ((3, 24, 24, 3), (3, 3))


def test_jax_threads_and_opencv_in_the_parent_do_not_stop_the_workers(
    crops: Path, tmp_path: Path
) -> None:
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with running(
        "reliability/jax_threads_and_opencv_in_the_parent_do_not_stop_the_workers.py",
        tmp_path,
        crops,
        environment=environment,
    ) as program:
        assert program.hear() == {"batches": 12}
        assert program.finish() == ""
    looked = [json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("looked*")]
    assert looked
    right = {"CUDA_VISIBLE_DEVICES": "-1", "opencv": 1, "frameworks": [], **environment}
    assert all(found == right for found in looked)


# Numbers


@pytest.mark.slow
def test_the_seed_counts_with_several_workers(crops: Path) -> None:
    expected = take(flow(crops, seed=5, **AUGMENTED), 2 * BATCHES)
    other = take(flow(crops, seed=6, **AUGMENTED), 1)
    assert not np.array_equal(other[0][0], expected[0][0])
    for workers in (1, 3):
        executor = make_executor("processes", workers, disable_gpu=True)
        with flow(crops, executor, seed=5, **AUGMENTED) as it:
            assert_same_batches(take(it, 2 * BATCHES), expected)
        executor.close()


@pytest.mark.slow
def test_workers_do_not_draw_the_same_numbers(signals: Signals) -> None:
    """Of one and the same picture there are as many versions as samples."""

    def note(x: NDArray[Any]) -> NDArray[Any]:
        signals.give(f"pid-{os.getpid()}")
        return x

    x = np.random.default_rng(1).integers(0, 255, (1, 24, 24, 3), dtype="uint8").repeat(40, axis=0)
    executor = make_executor("processes", 3, disable_gpu=True)
    generator = ImageDataGenerator(rotation_range=90, preprocessing_function=note)
    generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    with generator.flow(x, batch_size=4, seed=1) as it:
        versions = {image.tobytes() for _ in range(30) for image in next(it)}
        next(batch for batch in it if len(signals.starting("pid-")) > 1)  # until a second worker came
    executor.close()
    assert len(versions) == 120


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_image_and_mask_are_always_in_step(crops: Path, tmp_path: Path, executor: str) -> None:
    masks = tmp_path / "masks"
    shutil.copytree(crops, masks)
    images, other = (
        ImageDataGenerator(
            cores=2, executor=executor, rotation_range=40, zoom_range=0.3, horizontal_flip=True
        ).flow_from_directory(folder, target_size=(24, 24), batch_size=4, seed=9, class_mode=None)
        for folder in (crops, masks)
    )
    with images, other:
        for epoch in range(3):
            for number in range(BATCHES):
                image = next(images)
                mask = other[number] if epoch % 2 else next(other)
                np.testing.assert_array_equal(image, mask)
            if epoch % 2:
                other.on_epoch_end()


def test_masks_from_a_data_frame_are_turned_as_their_images(crops: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    names = []
    for number in (0, 2, 4):
        names.append(f"{number}.png")
        with Image.open(crops / f"cat/{number:02}.jpg") as image:
            image.convert("L").save(tmp_path / names[-1])
    frame = pandas.DataFrame({"filename": names, "mask": names})
    generator = ImageDataGenerator(
        executor="serial", rotation_range=60, horizontal_flip=True, interpolation_order=0
    )
    images, masks = next(
        generator.flow_from_dataframe(
            frame, tmp_path, y_col="mask", class_mode="image", color_mode="grayscale", seed=1
        )
    )
    np.testing.assert_array_equal(images, masks)


# Time


def test_a_known_data_set_is_not_walked_again(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "images"
    shutil.copytree(crops, folder)
    for number, name in enumerate(("astronaut", "cat", "cup")):
        os.utime(folder / name, ns=(1_600_000_000_000_000_001 + number,) * 2)
    first = flow(folder).filenames
    walked: list[object] = []
    real = os.walk

    def walk(top: Any, *args: Any, **options: Any) -> Any:
        walked.append(top)
        return real(top, *args, **options)

    monkeypatch.setattr(os, "walk", walk)
    assert flow(folder).filenames == first
    assert not walked
    shutil.copy(folder / "cat" / "00.jpg", folder / "cat" / "new.jpg")
    assert len(flow(folder).filenames) == len(first) + 1
    assert walked == [str(folder / "cat")], "only what has changed, and this would have been seen"


def test_all_geometry_is_one_warp(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        real = getattr(cv2, name)

        def call(*args: Any, **options: Any) -> Any:
            calls.append(name)
            return real(*args, **options)

        return call

    for name in ("warpAffine", "remap", "warpPerspective"):
        monkeypatch.setattr(cv2, name, counting(name))
    images, _ = next(flow(crops, **AUGMENTED))
    assert len(calls) == len(images)


@pytest.mark.slow
def test_several_batches_are_computed_at_once(crops: Path, signals: Signals) -> None:
    def meet(x: NDArray[Any]) -> NDArray[Any]:
        """Goes on only once another worker has come here, too."""
        signals.give(f"here-{os.getpid()}")
        wait_for(lambda: len(signals.starting("here-")) == 2, "the other worker", seconds=60)
        return x

    executor = make_executor("processes", 2, disable_gpu=True)
    with flow(crops, executor, preprocessing_function=meet) as it:
        next(it)
    executor.close()


@pytest.mark.slow
def test_workers_import_no_training_framework(crops: Path, signals: Signals) -> None:
    def look(x: NDArray[Any]) -> NDArray[Any]:
        heavy = {"tensorflow", "keras", "jax", "torch", "scipy", "pandas", "skimage"}
        signals.give("modules", json.dumps(sorted(heavy & set(sys.modules))))
        return x

    with own_flow(crops, "processes", cores=1, preprocessing_function=look) as it:
        next(it)
    assert json.loads(signals.content("modules")) == []


# Damage and death


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_one_damaged_file_does_not_end_the_training(crops: Path, tmp_path: Path, executor: str) -> None:
    folder = tmp_path / "images"
    shutil.copytree(crops, folder)
    bad = folder / "cat" / "02.jpg"
    bad.write_bytes(bad.read_bytes()[:200])
    with own_flow(folder, executor, cores=1, on_bad_image="replace") as it:
        with pytest.warns(UserWarning, match=r"cat.02\.jpg"):
            batches = take(it, BATCHES)
        assert sum(len(images) for images, _ in batches) == SAMPLES
        assert [Path(image.filename).as_posix() for image in it.bad_images] == ["cat/02.jpg"]
    with (
        own_flow(folder, executor, cores=1) as it,
        pytest.raises(BadImageError, match=r"cat.02\.jpg"),
    ):
        take(it, BATCHES)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_an_error_in_a_worker_is_that_error(crops: Path, executor: str) -> None:
    def faulty(x: NDArray[Any]) -> NDArray[Any]:
        raise ZeroDivisionError("in the hook")

    with own_flow(crops, executor, cores=1, preprocessing_function=faulty) as it:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError, match="in the hook"):
                next(it)


@pytest.mark.slow
@posix_only
def test_a_killed_worker_costs_nothing(crops: Path) -> None:
    expected = take(flow(crops, **AUGMENTED), 4 * BATCHES)
    received = []
    with own_flow(crops, "processes", cores=2, **AUGMENTED) as it:
        for number in range(4 * BATCHES):
            received.append(next(it))
            if number in {3, 11}:
                for worker in worker_processes().values():
                    worker.kill()
        assert it.report().restarts >= 2
    assert_same_batches(received, expected)


# Memory, descriptors, files


@linux_only
def test_the_size_of_shared_memory_does_not_matter(crops: Path) -> None:
    before = Path("/proc/self/maps").read_text(encoding="utf-8").count("/dev/shm")  # of other libraries
    with own_flow(crops, "processes", cores=1) as it:
        kept = take(it, 4)
        mappings = Path("/proc/self/maps").read_text(encoding="utf-8")
        assert len(kept) == 4
        assert "/memfd:imageloom" in mappings
        assert mappings.count("/dev/shm") <= before


@pytest.mark.slow
@linux_only
def test_descriptors_do_not_grow_with_epochs(crops: Path) -> None:
    counts = []
    with own_flow(crops, "processes", cores=2) as it:
        for _ in range(12):
            take(it, BATCHES)
            counts.append(len(os.listdir("/proc/self/fd")))
    assert len(set(counts[1:])) == 1, counts


@pytest.mark.slow
@posix_only
def test_ctrl_c_is_one_keyboard_interrupt_and_the_program_can_be_started_again(
    crops: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        with running(
            "reliability/ctrl_c_is_one_keyboard_interrupt_and_the_program_can_be_started_again.py",
            tmp_path,
            crops,
        ) as program:
            program.hear()
            os.killpg(program.process.pid, signal.SIGINT)
            errors = program.finish(10)
        assert errors.count("KeyboardInterrupt") == errors.count("Traceback") == 1, errors


@pytest.mark.slow
def test_scripts_without_a_guard_and_lambdas_just_work(crops: Path, tmp_path: Path) -> None:
    for command_line in (False, True):
        with running(
            "reliability/scripts_without_a_guard_and_lambdas_just_work.py",
            tmp_path,
            crops,
            command_line=command_line,
        ) as program:
            assert program.hear()["same"] is True
            assert program.finish() == ""


@pytest.mark.slow
def test_closing_does_not_take_half_a_minute(crops: Path, signals: Signals) -> None:
    def hang(x: NDArray[Any]) -> NDArray[Any]:
        signals.give("hangs")
        threading.Event().wait(100)
        return x

    it = own_flow(crops, "processes", cores=1, preprocessing_function=hang)

    def read() -> None:
        with contextlib.suppress(IteratorClosedError):
            next(it)

    threading.Thread(target=read, daemon=True).start()
    signals.wait("hangs")
    before = time.monotonic()
    it.close()
    assert time.monotonic() - before < 10
    wait_for(lambda: not worker_processes(), "the worker to end")


# Going on, and sharing out


@pytest.mark.slow
def test_the_middle_of_an_epoch_is_resumed_with_other_workers(crops: Path) -> None:
    expected = take(flow(crops, **AUGMENTED), 2 * BATCHES)
    with own_flow(crops, "processes", cores=2, **AUGMENTED) as it:
        take(it, 2)
        state = json.dumps(it.state_dict())
    for other in ("serial", "threads", "processes"):
        with own_flow(crops, other, cores=1, **AUGMENTED) as it:
            it.load_state_dict(json.loads(state))
            assert_same_batches(take(it, 2 * BATCHES - 2), expected[2:])


def test_shards_have_equal_lengths(crops: Path) -> None:
    """Shards of different lengths hang distributed training."""
    generator = ImageDataGenerator(executor="serial")
    whole = generator.flow_from_directory(crops, batch_size=2, seed=1)
    for count in (2, 3, 4):
        parts = [
            generator.flow_from_directory(crops, batch_size=2, seed=1, shard=(index, count))
            for index in range(count)
        ]
        assert {len(part) for part in parts} == {len(whole) // count}
