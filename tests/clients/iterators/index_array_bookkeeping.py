"""What was read is noted from `index_array`, for active learning."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/arrays.npz")
flow = ImageDataGenerator().flow(data["x"], np.arange(40), batch_size=12, seed=5)
unread = flow.index_array is None
log = []
for _ in range(6):
    _, numbers = next(flow)
    log.append({"epoch": flow.index_array, "batch_index": flow.batch_index, "numbers": numbers})
results = {"unread": unread, "log": log}
