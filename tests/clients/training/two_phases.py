"""Fine-tuning: the head first, then everything, with the same flows and `initial_epoch`."""

import keras
from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/train", target_size=(16, 16), batch_size=7, class_mode="sparse", shuffle=False
)
base = keras.Sequential(
    [keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3, strides=3), keras.layers.Flatten()]
)
base.trainable = False
model = keras.Sequential([base, keras.layers.Dense(3, activation="softmax")])
model.compile(keras.optimizers.SGD(1e-2), "sparse_categorical_crossentropy")
first = model.fit(flow, epochs=1, shuffle=False, verbose=0)

base.trainable = True
model.compile(keras.optimizers.SGD(1e-4), "sparse_categorical_crossentropy")
second = model.fit(flow, initial_epoch=1, epochs=3, shuffle=False, verbose=0)

WITHIN = {"losses": 5e-3}
results = {"losses": first.history["loss"] + second.history["loss"], "epochs": second.epoch}
