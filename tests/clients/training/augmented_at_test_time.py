"""Test-time augmentation: several passes over one folder, with the mean of the predictions."""

import keras
import numpy as np
from keras.preprocessing.image import ImageDataGenerator

model = keras.Sequential(
    [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
)
tta_gen = ImageDataGenerator(rescale=1 / 255, rotation_range=10, horizontal_flip=True)
predictions = []
for seed in range(3):
    flow = tta_gen.flow_from_directory(
        "data/validation", target_size=(16, 16), batch_size=4, shuffle=False, seed=seed
    )
    one_pass = [model.predict_on_batch(next(flow)[0]) for _ in range(len(flow))]
    predictions.append(np.concatenate(one_pass))

WITHIN = {"mean": 0.02}
final = np.mean(predictions, axis=0)
results = {"mean": final, "n": len(final), "classes": flow.classes}
