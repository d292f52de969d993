"""Trains with Keras 2 and with Keras 3, whose TensorBoard callback writes events."""

import json
import os

import tf_keras

from imageloom import ImageDataGenerator, ReportCallback

FOLDER = os.environ["CROPS"]
generator = ImageDataGenerator(executor="serial", rescale=1 / 255)


def iterator():
    return generator.flow_from_directory(FOLDER, (24, 24), batch_size=4, seed=2, verbose=0)


def trained(keras, it, *callbacks):
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile("sgd", "categorical_crossentropy")
    speed = ReportCallback(it)
    return model.fit(it, epochs=2, verbose=0, callbacks=[*callbacks, speed]).history


result = {"keras_2": {k: list(map(float, v)) for k, v in trained(tf_keras, iterator()).items()}}

import keras

tags = []
# The package of TensorBoard, which writes the events, need not be there.
board = keras.callbacks.TensorBoard("events", write_graph=False)
board.summary.scalar = lambda name, *_, **__: tags.append(name)
history = trained(keras, iterator(), board)
result["keras_3"] = {name: list(map(float, values)) for name, values in history.items()}
result["tensorboard"] = tags
print("RESULT " + json.dumps(result))
