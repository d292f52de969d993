"""Train a small segmentation model on images with masks, which get the same geometric transforms.

The data is one photograph of 24 coins in scikit-image. Its right part is cut into squares for the
training; the coins on the left are kept for the test. Because of uneven light, no threshold
separates all coins from the background. The result of Otsu's threshold is printed for comparison.
The exit status is 1 if the model is not clearly better::

    python examples/segmentation.py --epochs 12
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

# Keras reads this when it is first imported.
os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage
from skimage import data, filters, segmentation

from imageloom import ImageDataGenerator, Noise

OUTPUT = Path(__file__).resolve().parent.parent / "build" / "examples" / "segmentation"
SIDE = 96
BORDER = 128  # columns left of it are for validation, right of it for training
REQUIRED_IOU = 0.85


def write_pieces(folder: Path) -> pd.DataFrame:
    """Cut the photograph and its mask into squares; return a table of the files."""
    photograph = data.coins()
    mask = find_coins(photograph)
    rows = []
    height, width = photograph.shape
    for left in range(0, width - SIDE + 1, 16):
        part = "training" if left >= BORDER else "validation"
        if left < BORDER < left + SIDE:
            continue  # the square overlaps both parts
        for top in range(0, height - SIDE + 1, 16):
            piece = (slice(top, top + SIDE), slice(left, left + SIDE))
            row = {"part": part, "image": f"{left}-{top}.png", "mask": f"{left}-{top}-mask.png"}
            Image.fromarray(photograph[piece]).save(folder / row["image"])
            # A palette image: its numbers are the classes, and its colours are for viewing only.
            labels = Image.fromarray(mask[piece].astype(np.uint8), mode="P")
            labels.putpalette([40, 40, 40, 250, 200, 60])
            labels.save(folder / row["mask"])
            rows.append(row)
    return pd.DataFrame(rows)


def find_coins(photograph: np.ndarray) -> np.ndarray:
    """Mark the coins by a watershed: regions grow from chosen grey levels up to the edges."""
    seeds = np.where(photograph < 30, 1, np.where(photograph > 150, 2, 0))
    regions = segmentation.watershed(filters.sobel(photograph), seeds)
    return ndimage.binary_opening(ndimage.binary_fill_holes(regions == 2), iterations=2)


def small_unet(steps: int) -> keras.Model:
    """Return a compiled network that computes the probability of a coin for each pixel."""
    layers = keras.layers

    def convolved(x: Any, channels: int, strides: int = 1) -> Any:
        return layers.Conv2D(channels, 3, strides, padding="same", activation="relu")(x)

    image = keras.Input((SIDE, SIDE, 1))
    skipped = [image]
    for channels in (12, 24, 32):
        skipped.append(convolved(skipped[-1], channels, strides=2))
    x = convolved(skipped.pop(), 48)
    while skipped:
        partner = skipped.pop()
        x = layers.UpSampling2D()(x)
        x = convolved(layers.Concatenate()([x, partner]), max(6, partner.shape[-1]))
    model = keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x))
    iou = keras.metrics.BinaryIoU(target_class_ids=[1], threshold=0.5, name="iou")
    rate = keras.optimizers.schedules.CosineDecay(4e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=[iou])
    return model


def draw(path: Path, images: np.ndarray, *masks: np.ndarray) -> None:
    """Write rows of pictures: the images, then their masks."""
    rows = [np.concatenate(list(row[..., 0]), axis=1) for row in (images, *masks)]
    Image.fromarray(np.uint8(255 * np.clip(np.concatenate(rows), 0, 1))).save(path)


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    return float((mask & truth).sum() / (mask | truth).sum())


def main() -> int:
    parser = argparse.ArgumentParser(description="Train a small segmentation model.")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(arguments.seed)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    table = write_pieces(OUTPUT)

    # Geometric transforms apply to image and mask. Colour steps apply to images only.
    augmenting = ImageDataGenerator(
        cores=2,
        rotation_range=180,
        zoom_range=(0.7, 1.3),
        horizontal_flip=True,
        fill_mode="reflect",
        brightness_range=(0.5, 1.5),
        contrast_range=(0.6, 1.4),
        channel_shift_range=30,
        noise=["poisson", Noise("gauss", var=0.001)],
        rescale=1 / 255,
    )
    plain = ImageDataGenerator(cores=1, rescale=1 / 255)
    flow: dict[str, Any] = {
        "directory": OUTPUT,
        "x_col": "image",
        "y_col": "mask",
        "class_mode": "image",
        "color_mode": "grayscale",
        "target_size": (SIDE, SIDE),
    }
    parts = dict(iter(table.groupby("part")))
    training = augmenting.flow_from_dataframe(
        parts["training"], batch_size=8, seed=arguments.seed, **flow
    )
    validation = plain.flow_from_dataframe(parts["validation"], batch_size=64, shuffle=False, **flow)
    with training, validation:
        draw(OUTPUT / "training.png", *next(training))
        model = small_unet(steps=arguments.epochs * len(training))
        model.fit(training, validation_data=validation, epochs=arguments.epochs, verbose=2)
        images, truth = validation[0]
    masks = model.predict(images, verbose=0)
    draw(OUTPUT / "validation.png", images[::3], truth[::3], masks[::3])
    truth = truth == 1
    threshold = iou(images > filters.threshold_otsu(data.coins()) / 255, truth)
    learnt = iou(masks > 0.5, truth)
    print(f"Pieces, truth and predictions: {OUTPUT / 'validation.png'}")
    print(f"IoU on coins never seen: {learnt:.3f} (by a threshold {threshold:.3f})")
    return 0 if learnt >= REQUIRED_IOU else 1


if __name__ == "__main__":
    sys.exit(main())
