"""Training on a GPU: images per second with batches that are there already, and with imageloom.

ResNet-50 in torch, in bfloat16, with batches of 128 photographs; a small network in JAX; and Keras'
`fit` of one, on JAX: each where it is installed. It takes under four minutes::

    python benchmarks/gpu.py

``--tiny`` runs everything in a small form, on the CPU if there is nothing else.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from augmentation import AUGMENTATION
from machine import RESULTS, keep
from PIL import Image

import imageloom


@dataclass(frozen=True)
class Plan:
    """What is measured: sizes, and the seconds of each measurement."""

    images: int = 4096
    size: int = 224
    batch: int = 128
    seconds: float = 6.0
    widths: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (3, 4, 6, 3)
    cores: float = -1
    executor: str = "processes"


TINY = Plan(8, 16, 4, 0.01, (4,), (1,), 1, "threads")


def write_images(folder: Path, count: int) -> Path:
    """Write smooth coloured JPEG files of 500x375 into two class folders."""

    def write(number: int) -> None:
        rng = np.random.default_rng(number)
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
        fine = rng.normal(0, 12, (375, 500, 1))
        pixels = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC)) + fine
        place = folder / str(number % 2) / f"{number:05d}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place, quality=90)

    for name in ("0", "1"):
        (folder / name).mkdir(parents=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, range(count)))
    return folder


def flow(folder: Path, plan: Plan, first: bool = True, **options: Any) -> Any:
    """Return the iterator, with channels first as torch wants them, or last."""
    generator = imageloom.ImageDataGenerator(
        cores=plan.cores,
        executor=plan.executor,
        data_format="channels_first" if first else "channels_last",
        **(AUGMENTATION | options),
    )
    size = (plan.size, plan.size)
    return generator.flow_from_directory(
        folder, size, class_mode="sparse", batch_size=plan.batch, seed=1
    )


def rate(
    batches: Iterator[Any], step: Callable[[Any], None], wait: Callable[[], None], plan: Plan
) -> float:
    """Return the images per second of a training that goes on for a while."""
    for batch in itertools.islice(batches, 3):
        step(batch)
    wait()
    begun, images = time.perf_counter(), 0
    while time.perf_counter() - begun < plan.seconds or not images:
        batch = next(batches)
        step(batch)
        images += len(batch[0])
    wait()
    return images / (time.perf_counter() - begun)


def whole(batches: Any, plan: Plan) -> Iterator[Any]:
    """Full batches of one epoch after the other."""
    while True:
        yield from (batch for batch in batches if len(batch[0]) == plan.batch)


def read_once(batches: Any) -> None:
    """An epoch that is not measured: it fills the cache, and locks memory in its place."""
    for _ in batches:
        pass


# torch


def resnet(plan: Plan) -> Any:
    """ResNet-50; fewer and narrower blocks in the small form."""
    from torch import nn

    class Bottleneck(nn.Module):
        def __init__(self, inside: int, width: int, stride: int) -> None:
            super().__init__()
            outside = 4 * width
            self.body = nn.Sequential(
                nn.Conv2d(inside, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                nn.Conv2d(width, outside, 1, bias=False), nn.BatchNorm2d(outside),
            )  # fmt: skip
            self.side = nn.Identity()
            if stride > 1 or inside != outside:
                side = nn.Conv2d(inside, outside, 1, stride, bias=False)
                self.side = nn.Sequential(side, nn.BatchNorm2d(outside))

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.body(x) + self.side(x))

    first = plan.widths[0]
    layers: list[Any] = [nn.Conv2d(3, first, 7, 2, 3, bias=False), nn.BatchNorm2d(first), nn.ReLU()]
    layers.append(nn.MaxPool2d(3, 2, 1))
    inside = first
    for level, (width, blocks) in enumerate(zip(plan.widths, plan.blocks, strict=True)):
        for block in range(blocks):
            layers.append(Bottleneck(inside, width, 2 if level and not block else 1))
            inside = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, 2))


def measure_torch(folder: Path, plan: Plan) -> dict[str, float]:
    """Return images per second by the name of what feeds the model."""
    import torch

    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    torch.backends.cudnn.benchmark = True
    model = resnet(plan).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def step(batch: Any) -> None:
        images, y = (torch.as_tensor(part).to(device) for part in batch)
        if images.dtype == torch.uint8:
            images = images.to(torch.bfloat16 if on_gpu else torch.float32) / 255
        images = images.to(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=on_gpu):
            loss = torch.nn.functional.cross_entropy(model(images), y.long())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def wait() -> None:
        if on_gpu:
            torch.cuda.synchronize()

    def measured(options: dict[str, Any], *, cache: str | None = "memory", **moved: Any) -> float:
        with flow(folder, plan, cache=cache, **options) as it:
            data = it.to_torch_dataset(**moved)
            if cache:
                read_once(data)
            return rate(whole(data, plan), step, wait, plan)

    shape = (plan.batch, 3, plan.size, plan.size)
    there = torch.rand(shape, device=device), torch.zeros(plan.batch, device=device)
    found = {"there already": rate(itertools.repeat(there), step, wait, plan)}
    moved = {"device": device, "pin_memory": True}
    as_bytes, unfinished = {"dtype": "uint8", "rescale": None}, {"finish": "device"}
    found["first epoch, device"] = measured({}, cache=None, **moved)
    found["first epoch, finish on the device"] = measured(unfinished, cache=None, **moved)
    found["cache, arrays"] = measured({})
    found["cache, device, not pinned"] = measured({}, device=device, pin_memory=False)
    found["cache, device"] = measured({}, **moved)
    found["cache, device, uint8"] = measured(as_bytes, **moved)
    found["cache, finish on the device"] = measured(unfinished, **moved)
    found["there already, again"] = rate(itertools.repeat(there), step, wait, plan)
    return found


# JAX


def measure_jax(folder: Path, plan: Plan) -> dict[str, float]:
    """Return images per second by the name of what feeds a small network."""
    import jax
    from jax import numpy as jnp

    keys = jax.random.split(jax.random.key(0), 3)
    parameters = [
        jax.random.normal(keys[0], (7, 7, 3, 32)) * 0.05,
        jax.random.normal(keys[1], (3, 3, 32, 64)) * 0.05,
        jax.random.normal(keys[2], (64, 2)) * 0.05,
    ]

    def loss(parameters: Any, images: Any, y: Any) -> Any:
        x = images.astype(jnp.bfloat16)
        for kernel, stride in zip(parameters[:2], (4, 2), strict=True):
            layout = ("NHWC", "HWIO", "NHWC")
            x = jax.lax.conv_general_dilated(
                x, kernel.astype(jnp.bfloat16), (stride,) * 2, "SAME", dimension_numbers=layout
            )
            x = jax.nn.relu(x)
        logits = x.mean((1, 2)).astype(jnp.float32) @ parameters[2]
        return -jax.nn.log_softmax(logits)[jnp.arange(len(y)), y.astype(jnp.int32)].mean()

    @jax.jit
    def update(parameters: Any, images: Any, y: Any) -> Any:
        gradients = jax.grad(loss)(parameters, images, y)
        return [p - 0.01 * g for p, g in zip(parameters, gradients, strict=True)]

    def step(batch: Any) -> None:
        parameters[:] = update(parameters, *batch)

    def wait() -> None:
        jax.block_until_ready(parameters)

    def measured(it: Any, moves: bool) -> float:
        with it:
            data = it.to_jax() if moves else it.to_torch_dataset()
            read_once(data)
            return rate(whole(data, plan), step, wait, plan)

    shape = (plan.batch, plan.size, plan.size, 3)
    there = jnp.zeros(shape), jnp.zeros(plan.batch)
    found = {"there already": rate(itertools.repeat(there), step, wait, plan)}
    for name, moves, finish in (
        ("cache, arrays", False, "host"),
        ("cache, device", True, "host"),
        ("cache, finish on the device", True, "device"),
    ):
        it = flow(folder, plan, first=False, cache="memory", finish=finish)
        found[name] = measured(it, moves)
    return found


# Keras


def measure_keras(folder: Path, plan: Plan) -> dict[str, float]:
    """Return images per second of `fit`, by the name of what feeds a small network."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((plan.size, plan.size, 3)),
            layers.Conv2D(32, 7, 4, "same", activation="relu"),
            layers.Conv2D(64, 3, 2, "same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def measured(it: Any) -> float:
        with it:
            model.fit(it, verbose=0)  # compiles the model, and fills the cache
            begun, images = time.perf_counter(), 0
            while time.perf_counter() - begun < plan.seconds or not images:
                model.fit(it, verbose=0)
                images += it.samples
            return images / (time.perf_counter() - begun)

    found = {}
    for name, cache, finish in (
        ("first epoch", None, "host"),
        ("cache", "memory", "host"),
        ("cache, finish on the device", "memory", "device"),
    ):
        it = flow(folder, plan, first=False, cache=cache, finish=finish)
        found[name] = measured(it)
    return found


def devices() -> dict[str, str]:
    """The names of the devices of each framework."""
    found = {}
    if importlib.util.find_spec("torch"):
        import torch

        found["torch"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    if importlib.util.find_spec("jax"):
        import jax

        found["jax"] = jax.devices()[0].device_kind
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="everything small, for the CPU")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of gpu.json")
    arguments = parser.parse_args()
    plan = TINY if arguments.tiny else Plan()
    # JAX would take most of the GPU's memory at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    rates: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        images = write_images(Path(folder) / "images", plan.images)
        measures = {"torch": measure_torch, "jax": measure_jax, "keras": measure_keras}
        for name, measure in measures.items():
            if importlib.util.find_spec(name) is None:
                continue
            rates[name] = measure(images, plan)
            there = rates[name].get("there already")
            for feed, images_a_second in rates[name].items():
                share = f"{images_a_second / there:6.2f}" if there else ""
                print(f"{name:6}{feed:36}{images_a_second:10,.0f} a second{share}", flush=True)
    keep(
        "gpu",
        {"devices": devices(), "plan": asdict(plan), "images_per_second": rates},
        arguments.results,
    )


if __name__ == "__main__":
    main()
