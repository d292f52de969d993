"""A list of classes, in an order of one's own; the names of files and numbers follow it."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator().flow_from_directory(
    "data/train", classes=["rocket", "chelsea"], target_size=(18, 18), shuffle=False, batch_size=20
)
x, y = next(flow)
names = {v: k for k, v in flow.class_indices.items()}
results = {
    "x": x,
    "labels": [names[i] for i in np.argmax(y, axis=1)],
    "by name": [f.split("/")[0].split("\\")[0] for f in flow.filenames],
    "n": flow.n,
    "num_classes": flow.num_classes,
}
