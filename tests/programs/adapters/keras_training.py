"""Imageloom first, iterators made before Keras is there; everything that is trained on is recorded."""

import json
import os
import sys
import zlib
from collections import defaultdict

import numpy as np

from imageloom import ImageDataGenerator
from imageloom._api import engine
from imageloom._stream.window import BatchStream

engine._may_compute_here = lambda *_: False  # worker processes compute from the first batch on

AUGMENT = {
    "rotation_range": 20,
    "horizontal_flip": True,
    "rescale": 1 / 255,
    "validation_split": 0.3,
    "validation_augmentation_enabled": False,
}
FLOW = {"target_size": (24, 24), "batch_size": 3, "seed": 4}
FOLDER = os.environ["CROPS"]


def iterators(**options):
    generator = ImageDataGenerator(**AUGMENT, **options)
    return (
        generator.flow_from_directory(FOLDER, subset="training", **FLOW),
        generator.flow_from_directory(FOLDER, subset="validation", shuffle=False, **FLOW),
    )


training, validation = iterators(cores=2)
assert "keras" not in sys.modules

import keras

result = {"backend": keras.backend.backend(), "length": len(training)}
result["is_dataset"] = isinstance(training, keras.utils.PyDataset)


def mark(images):
    return zlib.crc32(np.ascontiguousarray(images).tobytes())


# Where in the stream a batch stands, told by its pixels.
serial, serial_validation = iterators(executor="serial")
position_of = {mark(next(serial)[0]): p for p in range(10 * len(serial))}
validation_marks = [mark(serial_validation[i][0]) for i in range(len(serial_validation))]

requests = defaultdict(list)
plain_get = BatchStream.get


def counting_get(self, position, *task):
    requests[id(self)].append((position, position in self._window))
    return plain_get(self, position, *task)


BatchStream.get = counting_get
trained, weights, validated = [], [], []


def array(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


class Recording(keras.Sequential):
    def train_step(self, *args):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(args[-1])
        trained.append(position_of.get(mark(array(x)), -1))
        if weight is not None:
            weights.append((array(y).argmax(axis=1).tolist(), array(weight).tolist()))
        return super().train_step(*args)

    def test_step(self, *args):
        validated.append(mark(array(args[-1][0])))
        return super().test_step(*args)


keras.utils.set_random_seed(3)
model = Recording(
    [
        keras.layers.Conv2D(2, 3, strides=4),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax"),
    ]
)
model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)


def epochs_of(steps):
    counts = [trained[first : first + steps] for first in range(0, len(trained), steps)]
    trained.clear()
    return counts


history = model.fit(
    training, validation_data=validation, epochs=3, class_weight={0: 1.0, 1: 2.0, 2: 5.0}, verbose=0
)
result["losses"] = len(history.history["loss"]), len(history.history["val_loss"])
result["trained"] = epochs_of(len(training))
result["weights"] = weights
result["validated"] = [validated == 3 * validation_marks, len(validated)]
stream_requests = requests[id(training._stream.supply._stream)]
later = [hit for position, hit in stream_requests if position >= len(training)]
result["later_requests"], result["later_hits"] = len(later), sum(later)

validated.clear()
evaluation = model.evaluate(validation, verbose=0)
result["evaluated"] = [validated == validation_marks, len(evaluation)]

with iterators(cores=2)[0] as fresh:
    model.fit(fresh, epochs=4, steps_per_epoch=3, verbose=0)
result["in_steps"] = epochs_of(3)

ordered = ImageDataGenerator(cores=1).flow_from_directory(
    FOLDER, target_size=(24, 24), batch_size=4, shuffle=False, class_mode=None
)
averaging = keras.Sequential([keras.layers.GlobalAveragePooling2D()])
rows = averaging.predict(ordered, verbose=0)
generator = ImageDataGenerator(executor="serial")
images = generator.flow_from_directory(
    FOLDER, target_size=(24, 24), batch_size=-1, shuffle=False, class_mode=None
)[0]
result["rows"] = [len(rows), len(ordered.filenames)]
result["wrong_by"] = float(abs(rows - images.mean(axis=(1, 2))).max())
result["neighbours_differ_by"] = float(abs(np.diff(rows, axis=0)).max(axis=1).min())
print("RESULT " + json.dumps(result))
