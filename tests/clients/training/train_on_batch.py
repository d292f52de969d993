"""The loop of the old documentation: `train_on_batch`, and `break` at the end of the epoch."""

import keras
import numpy as np
from keras.preprocessing.image import ImageDataGenerator

npz = np.load("data/arrays.npz")
x_train, y_train = npz["x"].astype("float32"), keras.utils.to_categorical(npz["y"], 4)
datagen = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
datagen.fit(x_train)

model = keras.Sequential(
    [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(4, "softmax")]
)
model.compile(keras.optimizers.SGD(0.001), "categorical_crossentropy")

losses, sizes = [], []
for e in range(2):
    batches = 0
    for x_batch, y_batch in datagen.flow(x_train, y_train, batch_size=12, seed=e):
        losses.append(float(model.train_on_batch(x_batch, y_batch)))
        sizes.append(len(x_batch))
        batches += 1
        if batches >= len(x_train) / 12:
            break

WITHIN = {"losses": 1e-3}
results = {"losses": losses, "sizes": sizes}
