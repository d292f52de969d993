"""What hooks draw from torch, TensorFlow and OpenCV repeats with the seed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imageloom import ImageDataGenerator
from imageloom._api import engine

PROGRAM = Path(__file__).parents[1] / "programs" / "executors" / "draws_of_frameworks.py"
IMAGES = np.zeros((24, 2, 2, 1), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(
    "framework",
    [
        "cv2",
        pytest.param("torch", marks=pytest.mark.long),
        pytest.param("keras", marks=pytest.mark.long),
        pytest.param("tensorflow", marks=pytest.mark.long),
    ],
)
def test_draws_repeat_with_every_executor(framework: str) -> None:
    """In a program of its own, in which the first hook is the first to load the framework."""
    pytest.importorskip(framework)
    found = subprocess.run(
        [sys.executable, PROGRAM, framework],
        env={**os.environ, "KERAS_BACKEND": "torch", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["24", "True", "True", "True", "True", "untouched"], found.stderr


@pytest.mark.slow
def test_draws_repeat_after_a_worker_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_may_compute_here", lambda *_: False)
    rng, killed = np.random.default_rng(3), tmp_path / "killed"

    def hook(x: NDArray[Any], kill: Path | None = None) -> NDArray[Any]:
        drawn = rng.normal() + np.random.normal()
        if kill is not None and not kill.exists():
            kill.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return x + np.float32(drawn)

    def deadly(x: NDArray[Any]) -> NDArray[Any]:
        return hook(x, killed)

    def read(function: Any, executor: str) -> NDArray[Any]:
        generator = ImageDataGenerator(executor=executor, cores=2, preprocessing_function=function)
        with generator.flow(IMAGES, batch_size=4, seed=5) as it:
            return np.concatenate([next(it) for _ in range(12)])

    received = read(deadly, "processes")
    assert killed.exists()
    np.testing.assert_array_equal(received, read(hook, "serial"))
