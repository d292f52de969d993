"""The first page of every tutorial: augmented arrays into `fit`, plain ones into `evaluate`."""

import keras
import numpy as np
from keras import layers
from keras.preprocessing.image import ImageDataGenerator

WITHIN = {"history": 0.08, "evaluated": 0.08}

data = np.load("data/arrays.npz")
x_train, x_test = data["x"][:32].astype("float32") / 255, data["x"][32:].astype("float32") / 255
y_train = keras.utils.to_categorical(data["y"][:32], 4)
y_test = keras.utils.to_categorical(data["y"][32:], 4)

train_datagen = ImageDataGenerator(rotation_range=5, horizontal_flip=True)
test_datagen = ImageDataGenerator()

model = keras.Sequential(
    [keras.Input((16, 16, 3)), layers.Flatten(), layers.Dense(4, activation="softmax")]
)
model.compile(keras.optimizers.SGD(0.001), "categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    train_datagen.flow(x_train, y_train, batch_size=8, seed=1),
    steps_per_epoch=len(x_train) // 8,
    epochs=2,
    validation_data=(x_test, y_test),
    verbose=0,
)
loss = model.evaluate(test_datagen.flow(x_test, y_test, batch_size=4, shuffle=False), verbose=0)[0]

results = {
    "keys": sorted(history.history),
    "history": np.array(history.history["loss"]),
    "evaluated": loss,
}
