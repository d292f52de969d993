"""Runs the blocks of a page, and tells which are not run. `--small` is for the model of README."""

import inspect
import os
import sys
from pathlib import Path
from types import ModuleType

from document_blocks import run_page


def with_smaller_model():
    """Building and compiling README's model takes minutes: a small one of its shape is trained."""
    os.environ.setdefault("KERAS_BACKEND", "jax")  # as README does; a test looks at that
    import keras

    signature = inspect.signature(keras.applications.MobileNetV3Small)

    def build_another(*args, **kwargs):
        given = signature.bind(*args, **kwargs).arguments  # the call must be right all the same
        head = keras.layers.Dense(given["classes"], activation="softmax")
        layers = [keras.Input(given["input_shape"]), keras.layers.GlobalAveragePooling2D(), head]
        return keras.Sequential(layers)

    keras.applications.MobileNetV3Small = build_another


if "--small" in sys.argv:
    with_smaller_model()
# The page finds what an interpreter has at its start: nothing that this program has imported.
page, main = Path(sys.argv[1]), ModuleType("__main__")
sys.modules["__main__"] = main
for block in run_page(page, vars(main)):
    print(block.first_line)
