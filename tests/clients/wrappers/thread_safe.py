"""The decorator `threadsafe_iter` of many repositories; four threads read one flow through it."""

import threading

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


class threadsafe_iter:
    def __init__(self, it):
        self.it = it
        self.lock = threading.Lock()

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            return next(self.it)


def threadsafe_generator(f):
    def g(*a, **kw):
        return threadsafe_iter(f(*a, **kw))

    return g


@threadsafe_generator
def batches(x, y):
    yield from ImageDataGenerator(horizontal_flip=True).flow(x, y, batch_size=5, seed=1)


data = np.load("data/arrays.npz")
source, got = batches(data["x"], np.arange(40)), []


def read():
    for _ in range(4):
        got.append(next(source))


threads = [threading.Thread(target=read) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
got.sort(key=lambda b: tuple(b[1]))
results = {"y": [y for _, y in got], "x": [x for x, _ in got]}
