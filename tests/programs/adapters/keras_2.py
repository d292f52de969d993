import json
import os
import sys
import zlib

os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np

from imageloom import ImageDataGenerator
from imageloom._api import engine
from imageloom._stream.window import BatchStream

engine._may_compute_here = lambda *_: False  # worker processes compute from the first batch on

FOLDER = os.environ["CROPS"]
generator = ImageDataGenerator(cores=2, horizontal_flip=True, rescale=1 / 255)


def iterator(**options):
    options = {"target_size": (24, 24), "batch_size": 4, "seed": 2} | options
    return generator.flow_from_directory(FOLDER, **options)


it = iterator()
assert "tf_keras" not in sys.modules

import tensorflow as tf

keras = tf.keras
_ = keras.Model  # which loads it
import tf_keras

result = {"legacy": keras.Model is tf_keras.Model}
result["is_sequence"] = isinstance(it, keras.utils.Sequence)


def mark(images):
    return zlib.crc32(np.ascontiguousarray(images).tobytes())


serial = ImageDataGenerator(executor="serial", horizontal_flip=True, rescale=1 / 255)
serial = serial.flow_from_directory(FOLDER, target_size=(24, 24), batch_size=4, seed=2)
position_of = {mark(next(serial)[0]): p for p in range(30 * len(serial))}
requests, trained, weights = [], [], []
plain_get = BatchStream.get


def counting_get(self, position, *task):
    requests.append(position in self._window)
    return plain_get(self, position, *task)


BatchStream.get = counting_get


class Recording(keras.Sequential):
    def train_step(self, data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        trained.append(position_of.get(mark(x.numpy()), -1))
        if weight is not None:
            weights.append([y.numpy().argmax(axis=1).tolist(), weight.numpy().tolist()])
        return super().train_step(data)


keras.utils.set_random_seed(3)
model = Recording([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
model.compile("sgd", "categorical_crossentropy", run_eagerly=True)


def trained_on(epoch, **options):
    # How an epoch's batches are spread over the steps of fit; `epoch` is where it begins.
    it.load_state_dict({**it.state_dict(), "position": epoch * len(it)})
    trained.clear()
    requests.clear()
    model.fit(it, verbose=0, **options)
    steps = options.get("steps_per_epoch", len(it))
    found = [trained[first : first + steps] for first in range(0, len(trained), steps)]
    return [found, it.total_batches_seen]


validation = iterator(shuffle=False, seed=None)
result["plain"] = trained_on(0, epochs=3, validation_data=validation, class_weight=it.class_weights())
result["hits"] = [sum(requests), len(requests)]
result["weights"], result["class_weights"] = weights, it.class_weights()
result["few_steps"] = trained_on(1, epochs=3, steps_per_epoch=2)
result["in_order"] = trained_on(1, epochs=2, steps_per_epoch=2, shuffle=False)
result["many_steps"] = trained_on(1, epochs=2, steps_per_epoch=8)
threads = {"workers": 3, "max_queue_size": 4}
result["threads"] = trained_on(2, epochs=3, **threads)
result["threads_few_steps"] = trained_on(3, epochs=3, steps_per_epoch=2, **threads)
result["processes"] = trained_on(1, epochs=2, workers=2, use_multiprocessing=True)

ordered = iterator(class_mode=None, shuffle=False, batch_size=4)
rows_of = keras.Sequential([keras.layers.GlobalAveragePooling2D()])
rows_of.compile(run_eagerly=True)
plain = ImageDataGenerator(executor="serial", rescale=1 / 255)
plain = plain.flow_from_directory(
    FOLDER, target_size=(24, 24), batch_size=-1, shuffle=False, class_mode=None
)[0].mean(axis=(1, 2))
rows = [rows_of.predict(ordered, verbose=0, **o) for o in ({}, {}, threads)]
result["rows"] = [[len(one), float(abs(one - plain).max())] for one in rows]
result["neighbours_differ_by"] = float(abs(np.diff(plain, axis=0)).max(axis=1).min())
result["evaluated"] = [model.evaluate(validation, verbose=0) > 0 for _ in range(2)]

inputs = [keras.Input((8, 8, 3)), keras.Input((4,))]
joined = keras.layers.Concatenate()([keras.layers.Flatten()(one) for one in inputs])
two = keras.Model(inputs, keras.layers.Dense(2)(joined))
two.compile(keras.optimizers.SGD(1e-9), "mse")
rng = np.random.default_rng(3)
x, more = rng.random((10, 8, 8, 3)).astype("float32"), rng.random((10, 4)).astype("float32")
flow = ImageDataGenerator(cores=1).flow
weighted = flow((x, [more]), np.ones((10, 2)), sample_weight=np.arange(10.0), batch_size=4)
with weighted, flow((x, [more]), batch_size=4, shuffle=False) as alone:
    result["inputs"] = len(two.fit(weighted, epochs=2, verbose=0).history["loss"])
    wrong = abs(two.predict(alone, verbose=0) - two.predict([x, more], verbose=0))
    result["inputs_wrong_by"] = float(wrong.max())

import keras as keras3

result["is_both"] = [isinstance(it, keras3.utils.PyDataset), isinstance(it, tf_keras.utils.Sequence)]
model3 = keras3.Sequential([keras3.layers.Flatten(), keras3.layers.Dense(3)])
model3.compile("sgd", "mse")
with iterator() as fresh:
    model3.fit(fresh, verbose=0)
    model.fit(fresh, verbose=0)
    result["seen_by_both"] = fresh.total_batches_seen
print("RESULT " + json.dumps(result))
