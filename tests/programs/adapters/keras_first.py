"""Keras first, its own compiled path, and its own threads around ours."""

import itertools
import json
import os
import warnings

import keras
import numpy as np
import pandas

import imageloom

folder = os.environ["CROPS"]
generator = imageloom.ImageDataGenerator(cores=2, horizontal_flip=True)
it = generator.flow_from_directory(folder, target_size=(24, 24), batch_size=4, seed=2)
result = {"backend": keras.backend.backend()}
result["is_dataset"] = isinstance(it, keras.utils.PyDataset)
result["is_ours"] = isinstance(it, imageloom.DirectoryIterator)
result["name"] = type(it).__name__
model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
result["losses"] = len(model.fit(it, epochs=3, verbose=0).history["loss"])
result["positions"] = [it.total_batches_seen]
it.workers = 3
result["losses"] += len(model.fit(it, epochs=2, verbose=0).history["loss"])
result["positions"].append(it.total_batches_seen)
it.workers = 1
result["length"] = len(it)

# Callbacks, weights of the classes, as many steps as batches and more.
calls = []


class Noting(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        calls.append([])

    def on_train_batch_end(self, batch, logs=None):
        calls[-1].append(batch)

    def on_epoch_end(self, epoch, logs=None):
        calls[-1].append(it.total_batches_seen)


def fitted(**options):
    calls.clear()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(it, verbose=0, callbacks=[Noting()], class_weight=it.class_weights(), **options)
    return [list(calls), [w.category.__name__ for w in told if "ran out of data" in str(w.message)]]


it.load_state_dict({**it.state_dict(), "position": 0})
result["as_many_steps"] = fitted(epochs=2, steps_per_epoch=len(it))
it.load_state_dict({**it.state_dict(), "position": 0})
result["more_steps"] = fitted(epochs=1, steps_per_epoch=len(it) + 2)

# Several inputs, outputs and weights: what reaches the model.
seen = []


def array(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def shapes(part):
    return [shapes(one) for one in part] if isinstance(part, (list, tuple)) else list(part.shape)


class Looking(keras.Model):
    def train_step(self, *args):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(args[-1])
        seen.append((shapes(x), shapes(y), None if weight is None else array(weight).tolist()))
        return super().train_step(*args)


def two_inputs(shape, other):
    inputs = [keras.Input(shape), keras.Input(other)]
    flat = [keras.layers.Flatten()(one) for one in inputs]
    joined = keras.layers.Concatenate()([keras.layers.Rescaling(1 / 255)(one) for one in flat])
    made = Looking(inputs, keras.layers.Dense(2)(joined))
    made.compile("sgd", "mse", run_eagerly=True)
    return made


rng = np.random.default_rng(3)
x = rng.integers(0, 255, (10, 8, 8, 3)).astype("float32")
more = rng.normal(0, 99, (10, 4)).astype("float32")
targets, weights = np.eye(2, dtype="float32")[np.arange(10) % 2], np.arange(10, dtype="float32")
plain = imageloom.ImageDataGenerator(cores=1)
keras.utils.set_random_seed(3)
two = two_inputs((8, 8, 3), (4,))


def train(model, batches):
    seen.clear()
    model.fit(batches, verbose=0, shuffle=False)
    batches.close()
    return list(seen)


order = {"batch_size": 4, "shuffle": False}
result["inputs"] = train(two, plain.flow((x, [more]), targets, sample_weight=weights, **order))
expected = two.predict([x, more], verbose=0)
with plain.flow((x, [more]), **order) as alone:
    result["inputs_alone_wrong_by"] = [
        float(abs(two.predict(alone, verbose=0) - expected).max()) for _ in range(2)
    ]
    result["as_keras_gives_it"] = [type(alone[0]).__name__, type(next(alone)).__name__]
result["inputs_differ_by"] = float(abs(np.diff(expected, axis=0)).max(axis=1).min())
with plain.flow((x, [more]), targets, **order) as loop:
    result["on_batch"] = [float(two.train_on_batch(*next(loop))) > 0 for _ in range(len(loop))]


def pairs(base_directory, search_class, split, **_):
    names = sorted(os.listdir(os.path.join(base_directory, search_class)))
    names = [f"{search_class}/{name}" for name in names]
    return search_class, list(itertools.pairwise(names))


of_pairs = dict(target_size=(8, 8), interpolation="nearest", **order)
of_pairs["list_valid_filenames_in_directory_function"] = pairs
images = two_inputs((8, 8, 3), (8, 8, 3))
result["tuples"] = train(images, plain.flow_from_directory(folder, classes=["cat", "cup"], **of_pairs))
with plain.flow_from_directory(folder, class_mode=None, **of_pairs) as alone:
    rows = images.predict(alone, verbose=0)
    single = [
        imageloom.img_to_array(imageloom.load_img(os.path.join(folder, name), target_size=(8, 8)))
        for pair in alone.filenames
        for name in pair
    ]
expected = images.predict([np.stack(single[::2]), np.stack(single[1::2])], verbose=0)
result["tuples_wrong_by"] = [len(rows), float(abs(rows - expected).max())]

cats = sorted(os.listdir(os.path.join(folder, "cat")))
frame = pandas.DataFrame({"filename": [os.path.join("cat", name) for name in cats]})
frame["one"], frame["two"], frame["weight"] = np.arange(8.0), -np.arange(8.0), np.arange(8) * 10.0
one_input = keras.Input((8, 8, 3))
flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(one_input))
heads = Looking(one_input, [keras.layers.Dense(1)(flat), keras.layers.Dense(1)(flat)])
heads.compile("sgd", ["mse", "mse"], run_eagerly=True)
result["outputs"] = train(
    heads,
    plain.flow_from_dataframe(
        frame, folder, y_col=["one", "two"], class_mode="multi_output", target_size=(8, 8), **order
    ),
)
head = Looking(one_input, keras.layers.Dense(1)(flat))
head.compile("sgd", "mse", run_eagerly=True)
result["weights"] = train(
    head,
    plain.flow_from_dataframe(
        frame, folder, y_col="one", weight_col="weight", class_mode="raw", target_size=(8, 8), **order
    ),
)

# Data sets, as they come from the iterator.
if keras.backend.backend() != "jax":
    batches = plain.flow((x, [more]), targets, **order)
    torch = keras.backend.backend() == "torch"
    if torch:
        from torch.utils.data import DataLoader

        dataset = DataLoader(batches.to_torch_dataset(), batch_size=None)
    else:
        dataset = batches.to_tf_dataset()
    seen.clear()
    two.fit(dataset, epochs=2, shuffle=False, verbose=0)
    result["datasets"] = [list(seen), batches.total_batches_seen]
    if not torch:
        two.fit(dataset.repeat(), steps_per_epoch=5, shuffle=False, verbose=0)
        result["repeated"] = len(seen) - 6
    batches.close()

# The same weights as with Keras' own iterator; JAX compiles too long for it.
if keras.backend.backend() != "jax":
    from keras.src.legacy.preprocessing.image import ImageDataGenerator as KerasOwn

    trained = []
    for own in (KerasOwn(rescale=1 / 255), imageloom.ImageDataGenerator(rescale=1 / 255, cores=1)):
        batches = own.flow_from_directory(
            folder, target_size=(24, 24), batch_size=4, shuffle=False, interpolation="nearest"
        )
        keras.utils.set_random_seed(5)
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
        model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", run_eagerly=True)
        model.build((None, 24, 24, 3))
        before = model.get_weights()[0]
        model.fit(batches, epochs=1, shuffle=False, verbose=0)
        trained.append(model.get_weights()[0])
    result["keras_moved_by"] = float(abs(trained[0] - before).max())
    result["differs_from_keras_by"] = float(abs(trained[0] - trained[1]).max())
print("RESULT " + json.dumps(result))
