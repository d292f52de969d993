import json
import os

import keras
import torch

import imageloom
from imageloom._adapters import keras_device


def losses():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    generator = imageloom.ImageDataGenerator(executor="threads", cores=1, rescale=1 / 255)
    with generator.flow_from_directory(os.environ["CROPS"], (8, 8), batch_size=4, seed=1) as it:
        weights = {0: 1.0, 1: 2.0, 2: 3.0}
        return model.fit(it, epochs=2, verbose=0, class_weight=weights).history["loss"]


expected = losses()
assert keras_device.accelerator() is None, "this machine has no GPU"
moved = []
plain = keras_device.TorchMover.move


def move(self, batch):
    moved.append(plain(self, batch))
    images, labels = moved[-1].batch
    assert isinstance(images, torch.Tensor)
    assert not isinstance(labels, torch.Tensor)
    return moved[-1]


keras_device.TorchMover.move = move
keras_device.accelerator = lambda: ("torch", torch.device("cpu"))
found = losses()
same = all(abs(a - b) < 1e-5 * abs(b) for a, b in zip(found, expected, strict=True))
print(json.dumps({"same": same, "moved": len(moved)}))
