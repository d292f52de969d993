"""Train a model for a microcontroller: which ground does the robot's camera look at?

The data are grey pictures of 96x96 pixels in three classes (brick, grass, gravel); the network has
a few thousand parameters. The pictures are squares of photographs in scikit-image; those of the
upper part of each photograph are used for validation only. The augmentation simulates the
directions, the light and the cheap sensor of a robot. The exit status is 1 if the model is poor::

    python examples/tinyml.py --epochs 6
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Any

# Keras reads this when it is first imported.
os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from PIL import Image
from skimage import data

from imageloom import Noise, ParallelImageDataGenerator, ParallelProcessParams

OUTPUT = Path(__file__).resolve().parent.parent / "build" / "examples" / "tinyml"
SIDE = 96
CLASSES = ("brick", "grass", "gravel")
REQUIRED_ACCURACY = 0.9


def write_pieces(folder: Path) -> Path:
    """Cut each photograph of 512x512 pixels into overlapping squares, named by their position."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        photograph = getattr(data, name)()
        # Squares from row 128 on share no pixel with those of rows 0 and 32.
        for top in (0, 32, *range(128, 512 - SIDE + 1, 32)):
            for left in range(0, 512 - SIDE + 1, 32):
                piece = photograph[top : top + SIDE, left : left + SIDE]
                Image.fromarray(piece).save(folder / name / f"{top:03d}-{left:03d}.png")
    return folder


def auto_exposure(params: ParallelProcessParams, x: np.ndarray) -> np.ndarray:
    """Scale the image to a mean of 128, as the camera's driver does, before all other steps."""
    return np.uint8(np.clip(x * (128 / max(1.0, x.mean())), 0, 255))


def as_int8(params: ParallelProcessParams, x: np.ndarray) -> np.ndarray:
    """Shift 0..255 to -128..127, which is the input of the model on the device."""
    return np.round(x) - 128


def tiny_model(steps: int) -> keras.Model:
    """Return a compiled network of depthwise separable convolutions."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((SIDE, SIDE, 1)), layers.Rescaling(1 / 64)])
    model.add(layers.Conv2D(12, 3, strides=2, padding="same", use_bias=False))
    for channels in (24, 32, 48):
        # On the device, normalisation is merged into the preceding convolution.
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        model.add(layers.SeparableConv2D(channels, 3, strides=2, padding="same", use_bias=False))
    model.add(layers.BatchNormalization(momentum=0.9))
    model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(len(CLASSES), activation="softmax"))
    rate = keras.optimizers.schedules.CosineDecay(8e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> int:
    parser = argparse.ArgumentParser(description="Train a model for a microcontroller.")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--samples", type=int, default=-1, help="per class; -1 for all")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(arguments.seed)
    folder = write_pieces(OUTPUT / "pieces")

    generator = ParallelImageDataGenerator(
        cores=2,
        validation_split=0.17,  # the first files of each class: rows 0 and 32 of the photographs
        validation_augmentation_enabled=False,
        max_samples_per_class=arguments.samples,
        rotation_range=180,
        zoom_range=0.2,
        horizontal_flip=True,
        fill_mode="reflect",
        brightness_range=(0.5, 1.5),
        contrast_range=(0.6, 1.4),
        noise=["poisson", Noise("gauss", var=0.001), Noise("s&p", amount=0.01)],
        noaug_preprocessing_function=auto_exposure,
        preprocessing_function=as_int8,
    )
    flow: dict[str, Any] = {
        "target_size": (SIDE, SIDE),
        "color_mode": "grayscale",
        "classes": CLASSES,
        "seed": arguments.seed,
    }
    counts: dict[str, int] = {}
    training = generator.flow_from_directory(
        folder, subset="training", batch_size=16, class_counts=counts, **flow
    )
    validation = generator.flow_from_directory(folder, subset="validation", shuffle=False, **flow)
    print(f"Samples to learn from: {counts}")
    training.preview(samples=3, versions=5).save(OUTPUT / "augmentation.png")
    model = tiny_model(steps=arguments.epochs * len(training))
    with training, validation:
        model.fit(training, validation_data=validation, epochs=arguments.epochs, verbose=2)
        predicted = model.predict(validation, verbose=0).argmax(axis=1)
        print(training.report())
    confusion = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(confusion, (validation.classes, predicted), 1)
    for name, row in zip(CLASSES, confusion, strict=True):
        print(
            f"{name:>7} taken for " + ", ".join(f"{c}: {n}" for c, n in zip(CLASSES, row, strict=True))
        )
    size = model.count_params()
    print(f"{size:,} parameters: {size / 1024:.1f} KiB of flash as int8, {size / 256:.1f} as float32")
    accuracy = float(confusion.trace() / confusion.sum())
    print(f"Accuracy on ground never seen: {accuracy:.1%}")
    return 0 if accuracy >= REQUIRED_ACCURACY else 1


if __name__ == "__main__":
    sys.exit(main())
