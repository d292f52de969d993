"""Training with Keras 2 (`tf_keras`), which takes the iterator for a `Sequence`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from executor_support import BATCHES, SAMPLES
from keras_programs import found_by

pytest.importorskip("tf_keras")
pytestmark = pytest.mark.timeout(240)  # one program at work for all tests

# Imageloom first, then `tensorflow.keras`, which here is tf_keras; Keras 3 is loaded at the end.
PROGRAM: Final = """
import json, os, sys, warnings, zlib
os.environ["TF_USE_LEGACY_KERAS"] = "1"
from collections import defaultdict
import numpy as np
import imageloom
from imageloom import ImageDataGenerator
from imageloom._stream.window import BatchStream

FOLDER = os.environ["CROPS"]
generator = ImageDataGenerator(cores=2, horizontal_flip=True, rescale=1 / 255)

def iterator(**options):
    options = dict(target_size=(24, 24), batch_size=4, seed=2) | options
    return generator.flow_from_directory(FOLDER, **options)

it = iterator()
assert "tf_keras" not in sys.modules

import tensorflow as tf
keras = tf.keras
keras.Model
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

def counting_get(self, position):
    requests.append(position in self._window)
    return plain_get(self, position)

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
    trained.clear(); requests.clear()
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
threads = dict(workers=3, max_queue_size=4)
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
"""


@pytest.fixture(scope="module")
def result(crops: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program found out, once for all tests."""
    return found_by(PROGRAM, "tensorflow", crops, tmp_path_factory.mktemp("tf_keras"))


def batches(epoch: int) -> list[int]:
    return list(range(epoch * BATCHES, (epoch + 1) * BATCHES))


def test_is_a_sequence_though_made_before_tf_keras_was_imported(result: dict[str, Any]) -> None:
    assert result["legacy"] is True
    assert result["is_sequence"] is True


def test_every_epoch_trains_on_its_epoch_of_the_stream(result: dict[str, Any]) -> None:
    epochs, position = result["plain"]
    assert [sorted(epoch) for epoch in epochs] == [batches(0), batches(1), batches(2)]
    assert any(epoch != sorted(epoch) for epoch in epochs), "Keras shuffles the batches"
    assert position == 3 * BATCHES


def test_its_shuffled_order_was_prefetched(result: dict[str, Any]) -> None:
    hits, asked = result["hits"]
    assert hits >= 0.75 * asked


def test_class_weights(result: dict[str, Any]) -> None:
    weight_of = {int(number): weight for number, weight in result["class_weights"].items()}
    assert len(set(weight_of.values())) == 3
    assert len(result["weights"]) == 3 * BATCHES
    for classes, weights in result["weights"]:
        assert weights == pytest.approx([weight_of[number] for number in classes])


@pytest.mark.parametrize(("name", "first"), [("few_steps", 1), ("threads_few_steps", 3)])
def test_fewer_steps_than_batches_are_of_a_new_epoch_each_time(
    result: dict[str, Any], name: str, first: int
) -> None:
    """tf_keras begins anew every epoch; else the same batches would come again and again."""
    epochs, position = result[name]
    assert [len(epoch) for epoch in epochs] == [2, 2, 2]
    for number, epoch in enumerate(epochs, start=first):
        assert set(epoch) < set(batches(number))
    assert position == (first + 3) * BATCHES


def test_fewer_steps_in_order(result: dict[str, Any]) -> None:
    assert result["in_order"] == [[batches(1)[:2], batches(2)[:2]], 3 * BATCHES]


def test_more_steps_than_batches_end_with_them(result: dict[str, Any]) -> None:
    (epoch,), _ = result["many_steps"]
    assert sorted(epoch) == batches(1)


def test_its_own_threads_that_read_ahead_do_not_skip_an_epoch(result: dict[str, Any]) -> None:
    epochs, position = result["threads"]
    assert [sorted(epoch) for epoch in epochs] == [batches(2), batches(3), batches(4)]
    assert position == 5 * BATCHES


def test_its_own_processes_get_the_same_batches(result: dict[str, Any]) -> None:
    epochs, position = result["processes"]
    assert [sorted(epoch) for epoch in epochs] == [batches(1), batches(2)]
    assert position == 3 * BATCHES


def test_rows_of_predict_follow_the_filenames(result: dict[str, Any]) -> None:
    assert result["neighbours_differ_by"] > 0.001, "or a wrong order would not show"
    for rows, wrong_by in result["rows"]:
        assert rows == SAMPLES
        assert wrong_by < 1e-5


def test_evaluate(result: dict[str, Any]) -> None:
    assert result["evaluated"] == [True, True]


def test_several_inputs(result: dict[str, Any]) -> None:
    assert result["inputs"] == 2
    assert result["inputs_wrong_by"] < 1e-4


def test_both_kerases_at_once(result: dict[str, Any]) -> None:
    assert result["is_both"] == [True, True]
    assert result["seen_by_both"] == 2 * BATCHES


KERASES_FIRST: Final = """
import json, os, sys
import tf_keras
import keras
import imageloom

generator = imageloom.ImageDataGenerator(executor="threads", cores=1)
it = generator.flow_from_directory(os.environ["CROPS"], target_size=(8, 8), batch_size=4, seed=1)
result = {
    "is": [isinstance(it, keras.utils.PyDataset), isinstance(it, tf_keras.utils.Sequence)],
    "seen": [],
    "format": [imageloom.ImageDataGenerator().data_format],
}
for package in (tf_keras, keras):
    model = package.Sequential([package.layers.Flatten(), package.layers.Dense(3)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(it, epochs=1, verbose=0)
    result["seen"].append(it.total_batches_seen)
it.close()
tf_keras.backend.set_image_data_format("channels_first")
result["format"].append(imageloom.ImageDataGenerator().data_format)
print("RESULT " + json.dumps(result))
"""


def test_both_kerases_imported_first(crops: Path, tmp_path: Path) -> None:
    result = found_by(KERASES_FIRST, "tensorflow", crops, tmp_path)
    assert result["is"] == [True, True]
    assert result["seen"] == [BATCHES, 2 * BATCHES]
    assert result["format"] == ["channels_last", "channels_first"]
