"""`predict` and `evaluate` in turns on one iterator, with `reset` before each."""

import keras
from keras.preprocessing.image import ImageDataGenerator

valid = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/validation", target_size=(10, 10), batch_size=4, class_mode="sparse", shuffle=False
)
model = keras.Sequential(
    [keras.Input((10, 10, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
)
model.compile(loss="sparse_categorical_crossentropy")

next(valid)
out = []
for _ in range(2):
    valid.reset()
    out.append(model.predict(valid, steps=valid.n // 4, verbose=0))
    valid.reset()
    out.append(model.evaluate(valid, steps=2, verbose=0))
WITHIN = {"out": 1e-4}
results = {"out": out, "same": bool((out[0] == out[2]).all())}
