"""Weights of classes from `Counter(classes)` and from scikit-learn, for `fit`."""

from collections import Counter

import keras
import numpy as np
from keras.preprocessing.image import ImageDataGenerator
from sklearn.utils import class_weight

train = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/train", target_size=(12, 12), batch_size=7, class_mode="sparse", shuffle=False
)
counter = Counter(train.classes)
largest = float(max(counter.values()))
by_counter = {class_id: largest / images for class_id, images in sorted(counter.items())}
balanced = class_weight.compute_class_weight(
    "balanced", classes=np.unique(train.classes), y=train.classes
)

model = keras.Sequential(
    [keras.Input((12, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
)
model.compile("sgd", "sparse_categorical_crossentropy")
h = model.fit(train, class_weight=dict(enumerate(balanced)), shuffle=False, verbose=0)

WITHIN = {"loss": 1e-2}
results = {
    "counter": {int(k): v for k, v in by_counter.items()},
    "balanced": balanced,
    "loss": h.history["loss"],
}
