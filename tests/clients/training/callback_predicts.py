"""A callback that predicts on the validation folder inside `fit`, after each epoch."""

import keras
import numpy as np
from keras.preprocessing.image import ImageDataGenerator


class Predictions(keras.callbacks.Callback):
    def __init__(self, flow):
        super().__init__()
        self.flow = flow
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.flow.reset()
        predicted = self.model.predict(self.flow, verbose=0)
        hits = np.argmax(predicted, axis=1) == self.flow.classes
        self.seen.append((epoch, predicted.shape, predicted, float(hits.mean())))


options = dict(target_size=(12, 12), batch_size=5, shuffle=False)
gen = ImageDataGenerator(rescale=1 / 255)
train = gen.flow_from_directory("data/train", **options)
val = gen.flow_from_directory("data/validation", **options)
model = keras.Sequential(
    [keras.Input((12, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
)
model.compile(keras.optimizers.SGD(0.01), "categorical_crossentropy")
callback = Predictions(val)
model.fit(train, epochs=2, validation_data=val, callbacks=[callback], shuffle=False, verbose=0)

WITHIN = {"predicted": 1e-3}
results = {
    "predicted": [p for _, _, p, _ in callback.seen],
    "scores": [score for *_, score in callback.seen],
    "order": [(epoch, list(shape)) for epoch, shape, *_ in callback.seen],
}
