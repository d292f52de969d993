"""Runs the blocks of a page, and tells which are not run. `--small` is for the model of README.

`--leave-out LINE` names a block that is not run by its first line.
"""

import argparse
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


parser = argparse.ArgumentParser()
parser.add_argument("page", type=Path)
parser.add_argument("--small", action="store_true")
parser.add_argument("--leave-out", action="append", default=[])
arguments = parser.parse_args()
if arguments.small:
    with_smaller_model()
# The page finds what an interpreter has at its start: nothing that this program has imported.
main = ModuleType("__main__")
sys.modules["__main__"] = main
for block in run_page(arguments.page, vars(main), arguments.leave_out):
    print(block.first_line)
