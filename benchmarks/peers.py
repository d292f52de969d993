"""The pipelines that the benchmark compares, each written as its documentation recommends.

Every function takes the workload and returns an iterator over the batches of endless epochs.
Frameworks are imported inside the functions, because each peer runs in a new process, without the
other frameworks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from workload import Workload

Batches = Iterator[Any]


@dataclass(frozen=True)
class Peer:
    """A pipeline with its name in tables, its worker processes, and the epochs to read.

    If a peer keeps decoded images, only its later epochs are compared. Some of these peers decode a
    whole epoch before the first batch, so their first rate means nothing.
    """

    label: str
    build: Callable[[Workload, int], Batches]
    workers: int = 0
    epochs: int = 1
    keeps: bool = False
    augments: bool = True


def imageloom_batches(workload: Workload, workers: int, cache: str | None = None) -> Batches:
    """Our generator with ``workers`` background processes."""
    from imageloom import ParallelImageDataGenerator

    generator = ParallelImageDataGenerator(
        **workload.keras_augmentation(), cores=workers, executor="processes", cache=cache
    )
    return iter(generator.flow_from_directory(**_flow_arguments(workload)))


def keras_batches(workload: Workload, workers: int) -> Batches:
    """Keras' own generator, which computes each batch on request."""
    return iter(keras_flow(workload))


def keras_flow(workload: Workload) -> Any:
    """The iterator of Keras' own generator, as ``fit`` takes it."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(**workload.keras_augmentation())
    return generator.flow_from_directory(**_flow_arguments(workload))


def _flow_arguments(workload: Workload) -> dict[str, Any]:
    """Return the arguments of ``flow_from_directory`` that are the same for both generators."""
    return {
        "directory": workload.directory,
        "target_size": (workload.height, workload.width),
        "color_mode": "rgb" if workload.channels == 3 else "grayscale",
        "batch_size": workload.batch_size,
        "class_mode": "categorical",
        "interpolation": "bilinear",
        "shuffle": True,
        "seed": workload.seed,
    }


def tfdata_batches(workload: Workload, workers: int, *, cache: bool = False) -> Batches:
    """A ``tf.data`` pipeline."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    dataset = tfdata_dataset(workload, cache=cache)
    return chain.from_iterable(d.as_numpy_iterator() for d in repeat(dataset))


def tfdata_dataset(workload: Workload, *, cache: bool = False) -> Any:
    """A ``tf.data`` pipeline with Keras' augmentation layers, with AUTOTUNE for parallel calls.

    With ``cache``, decoded and resized images stay in memory from the first epoch on.
    """
    import keras
    import tensorflow as tf

    names = sorted(path.name for path in Path(workload.directory).iterdir() if path.is_dir())
    size = (workload.height, workload.width)
    layers = _keras_layers(keras.layers, workload)
    decode = tf.io.decode_jpeg if workload.suffix == ".jpg" else tf.io.decode_png

    def augment(images: Any, labels: Any) -> tuple[Any, Any]:
        for layer in layers:
            images = layer(images, training=True)
        return images, labels

    def load(path: Any) -> tuple[Any, Any]:
        image = decode(tf.io.read_file(path), channels=workload.channels)
        image = tf.image.resize(image, size) / 255.0
        name = tf.strings.split(path, os.sep)[-2]
        return image, tf.cast(tf.equal(names, name), tf.float32)

    pattern = str(Path(workload.directory) / "*" / f"*{workload.suffix}")
    dataset = tf.data.Dataset.list_files(pattern, seed=workload.seed)
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    if cache:
        dataset = dataset.cache().shuffle(workload.images, seed=workload.seed)
    return (
        dataset.batch(workload.batch_size)
        .map(augment, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


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
    return chain.from_iterable(repeat(loader))


def decode_only_batches(workload: Workload, workers: int) -> Batches:
    """The least work: processes that read and decode the files, and return only their number."""
    from concurrent.futures import ProcessPoolExecutor

    files, size = workload.files, workload.batch_size
    chunks = [files[start : start + size] for start in range(0, len(files), size)]
    with ProcessPoolExecutor(workers) as pool:
        for count in pool.map(_decode_all, chunks):
            yield range(count), None


def _decode_all(files: list[Any]) -> int:
    """Decode ``files`` at full size and discard the pixels."""
    import simplejpeg
    from kornia_rs.io import read_image_png_u8

    for file in files:
        if file.suffix == ".jpg":
            simplejpeg.decode_jpeg(file.read_bytes())
        else:
            read_image_png_u8(str(file), "mono")
    return len(files)


PEERS: dict[str, Peer] = {
    "imageloom": Peer("imageloom, 2 processes", imageloom_batches, workers=2),
    "imageloom-1": Peer("imageloom, 1 process", imageloom_batches, workers=1),
    "imageloom-cache": Peer(
        "imageloom, 2 processes, cache",
        partial(imageloom_batches, cache="memory"),
        workers=2,
        epochs=4,
        keeps=True,
    ),
    "keras": Peer("Keras ImageDataGenerator", keras_batches),
    "tfdata": Peer("tf.data + Keras layers", tfdata_batches),
    "tfdata-cache": Peer(
        "tf.data + Keras layers, cache", partial(tfdata_batches, cache=True), epochs=3, keeps=True
    ),
    "torch": Peer("torch DataLoader, 2 workers", torch_batches, workers=2, epochs=3),
    "floor": Peer("floor: decode only, 2 processes", decode_only_batches, workers=2, augments=False),
}
