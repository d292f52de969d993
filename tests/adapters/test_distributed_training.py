"""Shards in real distributed training: two processes each of plain Python, torch DDP and Keras on JAX.

What both processes train on together is what one process reads from the whole stream: their weights are
compared with those of one process that takes the two batches of a round as one.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import PROGRAMS, environment_of
from releases import release_of

from imageloom import ImageDataGenerator

WAIT_SECONDS = 110
PROCESSES = 2
BATCH = 2


def run_both(program: str, folder: Path, place: str, *more: str) -> list[Any]:
    """What each of two processes prints as its result."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_CONFIG", None)
    running = [
        subprocess.Popen(
            [sys.executable, str(PROGRAMS / program), str(folder), str(rank), place, *more],
            env=environment_of(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(PROCESSES)
    ]
    results = []
    try:
        for process in running:
            out, err = process.communicate(timeout=WAIT_SECONDS)
            assert process.returncode == 0, err[-3000:]
            (line,) = [line for line in out.splitlines() if line.startswith("RESULT ")]
            results.append(json.loads(line.removeprefix("RESULT ")))
    finally:
        for process in running:
            process.kill()
            process.communicate()
    return results


def whole(folder: Path) -> Any:
    generator = ImageDataGenerator(
        executor="serial",
        rotation_range=20,
        horizontal_flip=True,
        rescale=1 / 255,
        max_samples_per_class=3,  # no batch is short: frameworks average over processes, not samples
    )
    return generator.flow_from_directory(
        folder, (8, 8), color_mode="grayscale", batch_size=BATCH, seed=5
    )


def trained(folder: Path, kernel: np.ndarray[Any, Any], bias: np.ndarray[Any, Any]) -> list[Any]:
    """Weights of a softmax regression after an epoch of SGD over rounds of two batches, by hand."""
    it = whole(folder)
    for _ in range(len(it) // PROCESSES):
        batches = [next(it) for _ in range(PROCESSES)]
        x = np.concatenate([images.reshape(len(images), -1) for images, _ in batches]).astype(float)
        y = np.concatenate([targets for _, targets in batches])
        scores = x @ kernel + bias
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = (shares / shares.sum(axis=1, keepdims=True) - y) / len(x)
        kernel, bias = kernel - 0.1 * x.T @ error, bias - 0.1 * error.sum(axis=0)
    return [kernel, bias]


@pytest.mark.slow
def test_plain_processes_read_the_whole_stream(class_folder: Path) -> None:
    (first,), (second,) = run_both("adapters/plain_shards.py", class_folder, "")
    it = whole(class_folder)
    expected = [float(next(it)[0].sum()) for _ in range(2 * len(it))]
    received = [value for pair in zip(first, second, strict=True) for value in pair]
    assert received == expected


@pytest.mark.frameworks("torch")
def test_torch_ddp_trains_as_one_process(class_folder: Path, tmp_path: Path) -> None:
    import torch

    first, second = run_both("adapters/torch_ddp.py", class_folder, str(tmp_path / "rendezvous"))
    assert first == second
    torch.manual_seed(1)
    model = torch.nn.Linear(64, 4)
    kernel = model.weight.detach().numpy().T.astype(float)
    kernel, bias = trained(class_folder, kernel, model.bias.detach().numpy().astype(float))
    np.testing.assert_allclose(np.array(first[0]).reshape(4, 64), kernel.T, atol=1e-5)
    np.testing.assert_allclose(first[1], bias, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["iterator", "to_tf_dataset"])
def test_keras_data_parallel_trains_as_one_process(form: str, class_folder: Path) -> None:
    if form == "to_tf_dataset":
        pytest.importorskip("tensorflow")
    elif release_of("keras") < (3, 11):
        pytest.skip("older releases of Keras take nothing but data sets of TensorFlow here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    first, second = run_both("adapters/keras_on_jax.py", class_folder, place, form)
    assert first == second
    kernel, bias = (np.array(values) for values in first[2:])
    kernel, bias = trained(class_folder, kernel.reshape(64, 4), bias)
    np.testing.assert_allclose(np.array(first[0]).reshape(64, 4), kernel, atol=1e-5)
    np.testing.assert_allclose(first[1], bias, atol=1e-5)
