"""Several threads call `next` on the iterator itself; each picture of the epochs comes as often."""

import threading

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

x = np.load("data/arrays.npz")["x"]
flow = ImageDataGenerator().flow(x, np.arange(len(x)), batch_size=4)
counts, lock = np.zeros(len(x), int), threading.Lock()


def reader():
    for _ in range(5):
        images, numbers = next(flow)
        with lock:
            counts[numbers] += 1
            assert (images == x[numbers]).all()


threads = [threading.Thread(target=reader) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
results = {"counts": counts, "seen": flow.total_batches_seen}
