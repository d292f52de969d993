"""The pipelines that the benchmark compares, each as its own documentation recommends.

Every function takes the workload and returns an iterator over the batches of one epoch (or of
endless epochs). Frameworks are imported inside the functions: each peer runs in a process of its
own, in which it alone is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from workload import Workload

Batches = Iterator[Any]


@dataclass(frozen=True)
class Peer:
    """A pipeline with its name in tables and the number of its worker processes."""

    label: str
    build: Callable[[Workload, int], Batches]
    workers: int = 0
    augments: bool = True


def imageloom_batches(workload: Workload, workers: int) -> Batches:
    """Our generator with ``workers`` background processes."""
    from imageloom import ParallelImageDataGenerator

    generator = ParallelImageDataGenerator(
        **workload.keras_augmentation(), cores=workers, executor="processes"
    )
    return iter(generator.flow_from_directory(**_flow_arguments(workload)))


def keras_batches(workload: Workload, workers: int) -> Batches:
    """Keras' own generator, which computes each batch when it is asked for."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(**workload.keras_augmentation())
    return iter(generator.flow_from_directory(**_flow_arguments(workload)))


def _flow_arguments(workload: Workload) -> dict[str, Any]:
    """Return what both generators' ``flow_from_directory`` get alike."""
    return {
        "directory": workload.directory,
        "target_size": (workload.height, workload.width),
        "batch_size": workload.batch_size,
        "class_mode": "categorical",
        "interpolation": "bilinear",
        "shuffle": True,
        "seed": workload.seed,
    }


def tfdata_batches(workload: Workload, workers: int) -> Batches:
    """A ``tf.data`` pipeline with Keras' augmentation layers, parallel calls left to AUTOTUNE."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    names = sorted(path.name for path in workload.directory.iterdir() if path.is_dir())
    size = (workload.height, workload.width)
    augment = keras.Sequential(_keras_layers(keras.layers, workload))

    def load(path: Any) -> tuple[Any, Any]:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        image = tf.image.resize(image, size) / 255.0
        name = tf.strings.split(path, os.sep)[-2]
        return image, tf.cast(tf.equal(names, name), tf.float32)

    files = tf.data.Dataset.list_files(str(workload.directory / "*" / "*.jpg"), seed=workload.seed)
    dataset = (
        files.map(load, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(workload.batch_size)
        .map(
            lambda images, labels: (augment(images, training=True), labels),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(tf.data.AUTOTUNE)
    )
    return iter(dataset.as_numpy_iterator())


def _keras_layers(layers: Any, workload: Workload) -> list[Any]:
    """Return the augmentation as Keras layers, whose ranges are shares of a full turn or size."""
    turn = workload.rotation / 360
    shift, zoom, shear = workload.shift, workload.zoom, workload.shear / 90
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(turn, fill_mode="nearest"),
        layers.RandomTranslation(shift, shift, fill_mode="nearest"),
        layers.RandomShear(x_factor=shear, fill_mode="nearest"),
        layers.RandomZoom((-zoom, zoom), (-zoom, zoom), fill_mode="nearest"),
    ]


def torch_batches(workload: Workload, workers: int) -> Batches:
    """PyTorch's ``DataLoader`` with OpenCV and Albumentations in its worker processes."""
    import torch
    from torch.utils.data import DataLoader
    from torch_dataset import AugmentedFolder, single_threaded_opencv

    generator = torch.Generator()
    generator.manual_seed(workload.seed)
    loader = DataLoader(
        AugmentedFolder(workload),
        batch_size=workload.batch_size,
        shuffle=True,
        num_workers=workers,
        worker_init_fn=single_threaded_opencv,
        generator=generator,
        persistent_workers=True,
    )
    return iter(loader)


def decode_only_batches(workload: Workload, workers: int) -> Batches:
    """The floor: processes that read and decode the files, and return only how many."""
    from concurrent.futures import ProcessPoolExecutor

    files = sorted(workload.directory.glob("*/*.jpg"))
    size = workload.batch_size
    chunks = [files[start : start + size] for start in range(0, len(files), size)]
    with ProcessPoolExecutor(workers) as pool:
        for count in pool.map(_decode_all, chunks):
            yield range(count), None


def _decode_all(files: list[Any]) -> int:
    """Decode ``files`` at full size and throw the pixels away."""
    import simplejpeg

    for file in files:
        simplejpeg.decode_jpeg(file.read_bytes(), fastdct=True, fastupsample=True)
    return len(files)


PEERS: dict[str, Peer] = {
    "imageloom": Peer("imageloom, 2 processes", imageloom_batches, workers=2),
    "imageloom-1": Peer("imageloom, 1 process", imageloom_batches, workers=1),
    "keras": Peer("Keras ImageDataGenerator", keras_batches),
    "tfdata": Peer("tf.data + Keras layers", tfdata_batches),
    "torch": Peer("torch DataLoader, 2 workers", torch_batches, workers=2),
    "floor": Peer("floor: decode only, 2 processes", decode_only_batches, workers=2, augments=False),
}
