"""`classes` is replaced by others, so that one folder serves another task."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator().flow_from_directory(
    "data/train", target_size=(10, 10), class_mode="sparse", batch_size=6, shuffle=False
)
first = next(flow)
flow.classes = np.array([len(name) % 2 for name in flow.filenames])
second = next(flow)
flow.class_indices = {"even": 0, "odd": 1}
flow.class_mode = "categorical"
third = next(flow)
results = {"first": first, "second": second, "third": third}
