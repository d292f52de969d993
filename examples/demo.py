"""Train on augmented images, draw what the augmentation does, and compare the speed with Keras'.

No network is needed, because the images are in scikit-learn and scikit-image. All files are written
to ``build/demo/``. The exit status is 1 if the trained model is poor::

    python examples/demo.py
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

# Keras reads this when it is first imported.
os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator
from real_images import write_digits, write_photographs
from tqdm import tqdm

from imageloom import ParallelImageDataGenerator, preview

_OUTPUT = Path(__file__).resolve().parent.parent / "build" / "demo"
_PHOTOGRAPHS = 300
_EPOCHS = 12
_REQUIRED_ACCURACY = 0.9

_FULL_AUGMENTATION: dict[str, Any] = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 10,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}
# Digits allow less augmentation: a flipped 2 is not a 2, and an upside-down 6 is a 9.
_DIGIT_AUGMENTATION: dict[str, Any] = {
    "rotation_range": 10,
    "width_shift_range": 0.08,
    "height_shift_range": 0.08,
    "zoom_range": 0.1,
    "fill_mode": "constant",
}


def draw_augmentation(digits: Path, photographs: Path) -> list[Path]:
    """Write sheets of photographs and of digits beside their augmented versions."""
    of_photographs = ParallelImageDataGenerator(**_FULL_AUGMENTATION, brightness_range=(0.7, 1.3))
    of_digits = ParallelImageDataGenerator(**_DIGIT_AUGMENTATION)
    sheets = {
        "photographs.png": preview(of_photographs, photographs, samples=5),
        "digits.png": preview(of_digits, digits, samples=5, color_mode="grayscale"),
    }
    for name, sheet in sheets.items():
        sheet.save(_OUTPUT / name)
    return [_OUTPUT / name for name in sheets]


def compare_speed(photographs: Path) -> float:
    """Print both generators' images per second; return the ratio of ours to Keras'."""
    augmentation = {**_FULL_AUGMENTATION, "rescale": 1 / 255}
    flow: dict[str, Any] = {"target_size": (224, 224), "interpolation": "bilinear", "seed": 1}
    theirs = ImageDataGenerator(**augmentation).flow_from_directory(photographs, **flow)
    their_rate = _images_per_second(theirs, "Keras")
    generator = ParallelImageDataGenerator(**augmentation, cores=2)
    with generator.flow_from_directory(photographs, **flow) as ours:
        our_rate = _images_per_second(ours, "imageloom")
    ratio = our_rate / their_rate
    print(
        f"Keras {their_rate:.0f} images/s, imageloom with 2 processes {our_rate:.0f} images/s: "
        f"{ratio:.1f} times as fast"
    )
    return ratio


def _images_per_second(batches: Any, name: str) -> float:
    """Time one epoch, after an untimed one that includes the start and the first reads."""
    for _ in tqdm(range(len(batches)), desc=f"{name}, warm-up", unit="batch"):
        next(batches)
    images = 0
    start = time.perf_counter()
    for _ in tqdm(range(len(batches)), desc=f"{name}, timed", unit="batch"):
        images += len(next(batches)[0])
    return images / (time.perf_counter() - start)


def train(digits: Path) -> float:
    """Train a small network on augmented digits, and return its accuracy on unchanged ones."""
    keras.utils.set_random_seed(1)
    augmenting = ParallelImageDataGenerator(
        **_DIGIT_AUGMENTATION, rescale=1 / 255, validation_split=0.2, cores=2
    )
    # The same split without augmentation, because validation uses unchanged digits.
    plain = ParallelImageDataGenerator(rescale=1 / 255, validation_split=0.2, cores=1)
    flow: dict[str, Any] = {"target_size": (32, 32), "color_mode": "grayscale", "seed": 1}
    with (
        augmenting.flow_from_directory(digits, subset="training", **flow) as training,
        plain.flow_from_directory(digits, subset="validation", shuffle=False, **flow) as validation,
    ):
        model = _small_network()
        history = model.fit(training, validation_data=validation, epochs=_EPOCHS)
    return float(history.history["val_accuracy"][-1])


def _small_network() -> Any:
    """Return a compiled convolutional network for 32x32 grey images of ten classes."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def main() -> int:
    """Run the three parts of the demonstration; the status is 0 if the model is accurate enough."""
    digits = write_digits(_OUTPUT / "digits")
    photographs = write_photographs(_OUTPUT / "photographs", count=_PHOTOGRAPHS)
    for sheet in draw_augmentation(digits, photographs):
        print(f"Contact sheet: {sheet}")
    compare_speed(photographs)
    accuracy = train(digits)
    enough = accuracy >= _REQUIRED_ACCURACY
    print(
        f"Validation accuracy after {_EPOCHS} epochs: {accuracy:.1%} "
        f"({'at least' if enough else 'BELOW'} the required {_REQUIRED_ACCURACY:.0%})"
    )
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
