"""Features of a frozen network are predicted once and saved; a small model learns from them."""

import keras
import numpy as np
from keras.preprocessing.image import ImageDataGenerator

body = keras.Sequential(
    [keras.Input((20, 20, 3)), keras.layers.Conv2D(3, 5, strides=4), keras.layers.Flatten()]
)
datagen = ImageDataGenerator(rescale=1.0 / 255)


def extract(directory, sample_count, batch_size=5):
    features = np.zeros((sample_count, *body.output_shape[1:]))
    labels = np.zeros((sample_count, 3))
    generator = datagen.flow_from_directory(
        directory, target_size=(20, 20), batch_size=batch_size, shuffle=False
    )
    i = 0
    for inputs_batch, labels_batch in generator:
        features_batch = body.predict(inputs_batch, verbose=0)
        features[i * batch_size : (i + 1) * batch_size] = features_batch[
            : sample_count - i * batch_size
        ]
        labels[i * batch_size : (i + 1) * batch_size] = labels_batch[: sample_count - i * batch_size]
        i += 1
        if i * batch_size >= sample_count:
            break
    return features, labels


features, labels = extract("data/train", 18)
np.save("features.npy", features)
WITHIN = {"features": 1e-4}
results = {"features": np.load("features.npy"), "labels": labels}
