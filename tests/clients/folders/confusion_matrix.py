"""`predict` after `reset`, compared with `classes`: the confusion matrix at the end of a notebook."""

import keras
import numpy as np
from keras.preprocessing.image import ImageDataGenerator
from sklearn.metrics import classification_report, confusion_matrix

test = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/validation", target_size=(16, 16), batch_size=5, class_mode="categorical", shuffle=False
)
model = keras.Sequential(
    [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
)
model.compile(loss="categorical_crossentropy")
model.evaluate(test, verbose=0)

test.reset()
Y_pred = model.predict(test, verbose=0)
y_pred = np.argmax(Y_pred, axis=1)
matrix = confusion_matrix(test.classes, y_pred)
report = classification_report(
    test.classes, y_pred, target_names=list(test.class_indices), zero_division=0
)

WITHIN = {"predicted": 1e-4}
results = {"predicted": Y_pred, "matrix": matrix, "report": report}
