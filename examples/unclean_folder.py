"""Train on an unclean folder, with broken files and two rare classes, and resume after a crash.

The data are scikit-learn's handwritten digits, with few eights and nines, and with every 150th file
broken. The script inspects the folder and trains in a process that is killed in the middle of an
epoch. Then it starts another process, which continues from the saved state. The exit status is 1 if
the model does not recognise the rare digits in the end::

    python examples/unclean_folder.py --epochs 12
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

# Keras reads this when it is first imported.
os.environ.setdefault("KERAS_BACKEND", "jax")

import psutil
from real_images import write_digits

OUTPUT = Path(__file__).resolve().parent.parent / "build" / "examples" / "unclean_folder"
MODEL, POSITION = OUTPUT / "model.keras", OUTPUT / "position.json"
RARE, RARE_COUNT, TEST_COUNT = ("8", "9"), 40, 40
SPOILT_EVERY = 150
SAVE_EVERY = 10  # batches
REQUIRED_RECALL = 0.7
FLOW: dict[str, Any] = {"target_size": (32, 32), "color_mode": "grayscale", "class_mode": "sparse"}


def write_folders(digits: Path) -> None:
    """Write the unclean folder ``found/`` and the clean folder ``test/`` from all digits."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    for source in sorted(path for path in digits.iterdir() if path.is_dir()):
        files = sorted(source.iterdir())
        random.Random(1).shuffle(files)  # the files are sorted by writer
        kept = RARE_COUNT if source.name in RARE else len(files) - TEST_COUNT
        for part, some in (("test", files[:TEST_COUNT]), ("found", files[TEST_COUNT:][:kept])):
            (OUTPUT / part / source.name).mkdir(parents=True)
            for file in some:
                shutil.copy(file, OUTPUT / part / source.name)
    for number, file in enumerate(sorted((OUTPUT / "found").glob("*/*.png"))):
        if number % SPOILT_EVERY == 0:
            content = file.read_bytes()
            spoilt = (b"", content[: len(content) // 2], b"<html>404 Not Found</html>")
            file.write_bytes(spoilt[number // SPOILT_EVERY % len(spoilt)])


def train(epochs: int, seed: int, die_after: int) -> int:
    """Train from where an earlier process stopped; the status is 0 if the model is good."""
    # Imported here, because the process that starts this one does not need Keras.
    import keras
    import numpy as np

    from imageloom import ImageDataGenerator, ResumeCallback

    class KeepModel(keras.callbacks.Callback):
        """Saves the model whenever `ResumeCallback` saves the position."""

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if (batch + 1) % SAVE_EVERY == 0:
                self.model.save(MODEL)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.save(MODEL)

    class PowerCut(keras.callbacks.Callback):
        """Ends the process without any clean-up."""

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.params["steps"] * self.epoch + batch + 1 == die_after:
                psutil.Process().kill()

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

    keras.utils.set_random_seed(seed)
    generator = ImageDataGenerator(
        cores=2,
        on_bad_image="replace",
        batch_timeout=60,
        cache="memory",
        rotation_range=10,
        width_shift_range=0.08,
        height_shift_range=0.08,
        zoom_range=0.1,
        rescale=1 / 255,
    )
    plain = ImageDataGenerator(cores=1, rescale=1 / 255)
    # Instead of `balance`, `fit(class_weight=training.class_weights())` can be used.
    training = generator.flow_from_directory(OUTPUT / "found", balance=True, seed=seed, **FLOW)
    test = plain.flow_from_directory(OUTPUT / "test", shuffle=False, **FLOW)
    resume = ResumeCallback(training, POSITION, save_freq=SAVE_EVERY)
    if MODEL.exists():
        model = keras.models.load_model(MODEL)
        print(f"Goes on at batch {resume.position}, in epoch {resume.epoch + 1}.")
    else:
        model = small_network(keras)
    with training, test:
        # In this sequence, because an old position is better than one without its model.
        callbacks = [KeepModel(), resume, PowerCut()]
        steps = {"initial_epoch": resume.epoch, "epochs": epochs}
        # A position within an epoch has no meaning if Keras shuffles the batches.
        model.fit(training, shuffle=False, callbacks=callbacks, verbose=2, **steps)
        predicted = model.predict(test, verbose=0).argmax(axis=1)
        print(training.report())
    recall = [float(np.mean(predicted[test.classes == c] == c)) for c in range(test.num_classes)]
    print("Recall by digit: " + ", ".join(f"{d}: {r:.0%}" for d, r in enumerate(recall)))
    rarest = min(recall[int(digit)] for digit in RARE)
    print(f"Of the rare digits at least {rarest:.0%} are known.")
    return 0 if rarest >= REQUIRED_RECALL else 1


def small_network(keras: Any) -> Any:
    """Return a compiled convolutional network for 32x32 grey images of ten classes."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((32, 32, 1))])
    for channels in (16, 32, 64):
        model.add(layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.Adam(2e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> int:
    parser = argparse.ArgumentParser(description="Train on an unclean folder, with an interruption.")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--die-after", type=int, default=55, help="batches until the power is cut")
    parser.add_argument("--train", action="store_true", help="only train, or go on training")
    arguments = parser.parse_args()
    if arguments.train:
        return train(arguments.epochs, arguments.seed, arguments.die_after)
    write_folders(write_digits(OUTPUT.with_name("digits")))
    print("$ imageloom inspect found", flush=True)
    subprocess.run([sys.executable, "-m", "imageloom", "inspect", OUTPUT / "found"], check=False)
    command = [sys.executable, __file__, "--train"]
    command += [f"--epochs={arguments.epochs}", f"--seed={arguments.seed}"]
    killed = subprocess.run([*command, f"--die-after={arguments.die_after}"], check=False)
    position = json.loads(POSITION.read_text(encoding="utf-8"))["iterator"]["position"]
    print(f"Killed (status {killed.returncode}). Saved: batch {position}.", flush=True)
    return subprocess.run([*command, "--die-after=-1"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
