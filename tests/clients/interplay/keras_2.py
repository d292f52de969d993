"""Keras 2's `fit`, `evaluate` and `predict` with folders, `it.next()` included."""

import numpy as np
import tf_keras as keras
from tf_keras.preprocessing.image import ImageDataGenerator

keras.utils.set_random_seed(3)
gen = ImageDataGenerator(rescale=1.0 / 255)
train = gen.flow_from_directory(
    "data/train", (12, 12), batch_size=7, class_mode="sparse", shuffle=False
)
val = gen.flow_from_directory(
    "data/validation", (12, 12), batch_size=4, class_mode="sparse", shuffle=False
)
images, labels = val.next()
val.reset()

model = keras.Sequential(
    [keras.layers.Flatten(input_shape=(12, 12, 3)), keras.layers.Dense(3, "softmax")]
)
model.compile(keras.optimizers.legacy.SGD(0.01), "sparse_categorical_crossentropy")
h = model.fit(
    train, steps_per_epoch=len(train), validation_data=val, epochs=2, shuffle=False, verbose=0
)

WITHIN = {"loss": 1e-3, "predicted": 1e-3}
results = {
    "images": images,
    "labels": labels,
    "loss": np.array(h.history["loss"] + h.history["val_loss"]),
    "evaluated": list(model.metrics_names),
    "predicted": model.predict(val, verbose=0),
}
