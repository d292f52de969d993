"""Nobody pays for a framework they do not use, and JAX takes batches without a copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCHES, assert_same_batches, flow, flow_with, take
from numpy.typing import NDArray
from programs import run_program

# What this process and its workers have loaded when batches were made in every way.


@pytest.mark.slow
def test_making_batches_loads_no_framework(crops: Path, tmp_path: Path) -> None:
    done = run_program("adapters/nothing_loaded.py", cwd=tmp_path, environment={"CROPS": str(crops)})
    assert done.returncode == 0, done.stderr
    own = done.stdout.splitlines()[-1]
    seen = {path.name: json.loads(path.read_text()) for path in (tmp_path / "seen").iterdir()}
    assert own in seen
    assert len(seen) >= 2, "a worker"
    assert all(loaded == [] for loaded in seen.values()), seen


jax_only = pytest.mark.frameworks("jax")


def jax_array(images: NDArray[Any]) -> Any:
    import jax

    return jax.dlpack.from_dlpack(images)


@jax_only
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
@pytest.mark.parametrize("class_mode", ["categorical", "input"])
def test_jax_takes_batches_without_a_copy(crops: Path, executor: str, class_mode: str) -> None:
    """XLA takes only arrays that begin at a multiple of 64 bytes; an odd size would not by itself."""
    import jax

    with flow_with(crops, executor, class_mode=class_mode) as it:
        kept = []  # more than 8, so that the last ones are copies in memory of their own
        for images, copy in take(it, 2 * BATCHES):
            parts = [images, copy] if class_mode == "input" else [images]
            for part in parts:
                assert jax_array(part).unsafe_buffer_pointer() == part.ctypes.data
                assert jax.device_put(part).unsafe_buffer_pointer() == part.ctypes.data
            kept.append(images)


@jax_only
def test_odd_sizes_are_aligned_too() -> None:
    from imageloom import ImageDataGenerator

    x = np.arange(10 * 7 * 5, dtype="uint8").reshape(10, 7, 5, 1)
    for executor in ("serial", "threads", "processes"):
        generator = ImageDataGenerator(executor=executor, cores=1)
        with generator.flow(x, batch_size=3, shuffle=False) as it:
            kept = take(it, 2 * len(it))
        for images in kept:
            assert jax_array(images).unsafe_buffer_pointer() == images.ctypes.data
        np.testing.assert_array_equal(np.concatenate(kept[: len(kept) // 2]), x)


@jax_only
def test_a_batch_stays_while_a_jax_array_of_it_lives(crops: Path) -> None:
    expected = take(flow(crops), 1)[0][0]
    with flow_with(crops, "processes") as it:
        images = next(it)[0]
        place = images.ctypes.data
        array = jax_array(images)
        assert array.unsafe_buffer_pointer() == place
        del images
        places = [next(it)[0].ctypes.data for _ in range(3 * BATCHES)]
        assert place not in places
        assert len(set(places)) < len(places), "what is not kept is used again"
        assert_same_batches([np.asarray(array)], [expected])
        del array
        assert place in [next(it)[0].ctypes.data for _ in range(BATCHES)], "and so is this, now"
