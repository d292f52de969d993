"""`ModelCheckpoint` and `EarlyStopping` over a validation flow; the best weights are loaded again."""

import os

import keras
import numpy as np
from keras.preprocessing.image import ImageDataGenerator

d = np.load("data/arrays.npz")
gen = ImageDataGenerator(rescale=1 / 255, validation_split=0.3)
train = gen.flow(d["x"], d["y"], batch_size=14, subset="training", shuffle=False)
valid = gen.flow(d["x"], d["y"], batch_size=6, subset="validation", shuffle=False)

model = keras.Sequential(
    [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(4, "softmax")]
)
model.compile(keras.optimizers.SGD(0.005), "sparse_categorical_crossentropy")
callbacks = [
    keras.callbacks.ModelCheckpoint("best.weights.h5", save_best_only=True, save_weights_only=True),
    keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True),
]
h = model.fit(train, validation_data=valid, epochs=3, callbacks=callbacks, shuffle=False, verbose=0)
model.load_weights("best.weights.h5")

WITHIN = {"best": 2e-3, "val_loss": 2e-3}
results = {
    "best": model.evaluate(valid, verbose=0),
    "val_loss": h.history["val_loss"],
    "files": sorted(name for name in os.listdir() if name.endswith("h5")),
}
