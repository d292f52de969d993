"""Shards in real distributed training: two processes each of plain Python, torch DDP and Keras on JAX.

What both processes train on together is what one process reads from the whole stream: their weights are
compared with those of one process that takes the two batches of a round as one.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageloom import ImageDataGenerator

WAIT_SECONDS = 110
PROCESSES = 2
BATCH = 2
FLOW = f"""
import json, sys
import numpy as np
from imageloom import ImageDataGenerator

folder, rank, place = sys.argv[1], int(sys.argv[2]), sys.argv[3]

def flow(shard):
    generator = ImageDataGenerator(
        cores=1, rotation_range=20, horizontal_flip=True, rescale=1 / 255, max_samples_per_class=3
    )
    return generator.flow_from_directory(
        folder, (8, 8), color_mode="grayscale", batch_size={BATCH}, seed=5, shard=shard
    )
"""
PLAIN = """
with flow((rank, 2)) as part:
    sums = [float(next(part)[0].sum()) for _ in range(2 * len(part))]
print("RESULT", json.dumps([sums]))
"""
TORCH = """
import torch
from torch import distributed

distributed.init_process_group("gloo", init_method="file://" + place, rank=rank, world_size=2)
torch.manual_seed(1)
model = torch.nn.Linear(64, 4)
parallel = torch.nn.parallel.DistributedDataParallel(model)
optimizer = torch.optim.SGD(parallel.parameters(), lr=0.1)
with flow("auto") as part:
    assert part.shard == (rank, 2)
    for x, y in torch.utils.data.DataLoader(part.to_torch_dataset(), batch_size=None):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(parallel(x.flatten(1)), y).backward()
        optimizer.step()
print("RESULT", json.dumps([p.detach().ravel().tolist() for p in model.parameters()]))
distributed.destroy_process_group()
"""
KERAS = """
import os
os.environ["KERAS_BACKEND"] = "jax"
import jax
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(place, num_processes=2, process_id=rank)
import keras

keras.distribution.set_distribution(
    # The data are shards already.
    keras.distribution.DataParallel(devices=jax.devices(), auto_shard_dataset=False)
)
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
model.compile(
    keras.optimizers.SGD(0.1), keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=True
)
before = [np.asarray(w).ravel().tolist() for w in model.get_weights()]
with flow("auto") as part:
    assert part.shard == (rank, 2)
    model.fit(part, epochs=1, shuffle=False, verbose=0)
weights = [np.asarray(w.value.addressable_data(0)).ravel().tolist() for w in model.weights]
print("RESULT", json.dumps([*weights, *before]))
"""


def run_both(program: str, folder: Path, place: str) -> list[Any]:
    """What each of two processes prints as its result."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_CONFIG", None)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", FLOW + program, str(folder), str(rank), place],
            env=environment,
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


def test_plain_processes_read_the_whole_stream(class_folder: Path) -> None:
    (first,), (second,) = run_both(PLAIN, class_folder, "")
    it = whole(class_folder)
    expected = [float(next(it)[0].sum()) for _ in range(2 * len(it))]
    received = [value for pair in zip(first, second, strict=True) for value in pair]
    assert received == expected


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_torch_ddp_trains_as_one_process(class_folder: Path, tmp_path: Path) -> None:
    import torch

    first, second = run_both(TORCH, class_folder, str(tmp_path / "rendezvous"))
    assert first == second
    torch.manual_seed(1)
    model = torch.nn.Linear(64, 4)
    kernel = model.weight.detach().numpy().T.astype(float)
    kernel, bias = trained(class_folder, kernel, model.bias.detach().numpy().astype(float))
    np.testing.assert_allclose(np.array(first[0]).reshape(4, 64), kernel.T, atol=1e-5)
    np.testing.assert_allclose(first[1], bias, atol=1e-5)


def test_keras_data_parallel_trains_as_one_process(class_folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    first, second = run_both(KERAS, class_folder, place)
    assert first == second
    kernel, bias = (np.array(values) for values in first[2:])
    kernel, bias = trained(class_folder, kernel.reshape(64, 4), bias)
    np.testing.assert_allclose(np.array(first[0]).reshape(64, 4), kernel, atol=1e-5)
    np.testing.assert_allclose(first[1], bias, atol=1e-5)
