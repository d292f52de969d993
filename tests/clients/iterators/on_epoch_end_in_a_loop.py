"""A loop of one's own reads by number, and calls `on_epoch_end` after each epoch."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/arrays.npz")
flow = ImageDataGenerator().flow(data["x"], np.arange(40), batch_size=8)
epochs = []
for _ in range(3):
    order = np.concatenate([flow[i][1] for i in range(len(flow))])
    flow.on_epoch_end()
    epochs.append(order)
results = {
    "each is complete": [bool((np.sort(o) == np.arange(40)).all()) for o in epochs],
    "orders differ": [bool((epochs[0] != o).any()) for o in epochs[1:]],
}
