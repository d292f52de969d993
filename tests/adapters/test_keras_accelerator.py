"""Keras' `fit` gets batches that were moved ahead; the CPU takes the part of its accelerator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCHES, flow_with
from programs import run_program

from imageloom._adapters import keras_device

jax = pytest.importorskip("jax")


def fitted(it: Any, seed: int) -> list[float]:
    import keras

    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    history = model.fit(it, epochs=3, verbose=0, class_weight={0: 1.0, 1: 2.0, 2: 3.0})
    return [float(loss) for loss in history.history["loss"]]


@pytest.mark.slow
@pytest.mark.frameworks("keras")
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_fit_gets_the_same_batches_ahead_on_its_accelerator(
    crops: Path, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"rescale": 1 / 255, "rotation_range": 10}
    with flow_with(crops, executor, **options) as it:
        expected = fitted(it, 1)
    monkeypatch.setattr(keras_device, "accelerator", lambda: ("jax", jax.devices("cpu")[0]))
    moved = []
    plain = keras_device.JaxMover.move
    monkeypatch.setattr(
        keras_device.JaxMover, "move", lambda self, batch: moved.append(plain(self, batch)) or moved[-1]
    )
    with flow_with(crops, executor, **options) as it:
        assert fitted(it, 1) == pytest.approx(expected, rel=1e-5)
    assert len(moved) >= 3 * BATCHES
    images, labels = moved[0].batch
    assert isinstance(images, jax.Array)
    assert isinstance(labels, np.ndarray), "Keras weighs classes on the host"


@pytest.mark.slow
@pytest.mark.frameworks("keras", "torch")
def test_fit_on_torch_gets_tensors(crops: Path, tmp_path: Path) -> None:
    environment = {"CROPS": str(crops), "KERAS_BACKEND": "torch"}
    done = run_program("adapters/keras_accelerator.py", cwd=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["same"]
    assert found["moved"] >= 2 * BATCHES


def test_only_keras_is_given_arrays_of_its_backend(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_device, "accelerator", lambda: ("jax", None))
    with flow_with(crops, "threads") as it:
        assert isinstance(it[0][0], np.ndarray)
        assert isinstance(next(it)[0], np.ndarray)
        assert isinstance(next(iter(it.to_torch_dataset()))[0], np.ndarray)


def test_a_cpu_is_no_accelerator() -> None:
    pytest.importorskip("keras")
    assert jax.default_backend() == "cpu"
    assert keras_device.accelerator() is None
