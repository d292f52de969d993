"""A folder is read by hand with `load_img`, and split by scikit-learn."""

import os

import numpy as np
from keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelBinarizer

data, labels = [], []
for kind in sorted(os.listdir("data/train")):
    for name in sorted(os.listdir(f"data/train/{kind}")):
        data.append(img_to_array(load_img(f"data/train/{kind}/{name}", target_size=(16, 16))))
        labels.append(kind)
data = np.array(data, dtype="float") / 255.0
labels = LabelBinarizer().fit_transform(np.array(labels))
trainX, testX, trainY, testY = train_test_split(data, labels, test_size=0.25, random_state=42)
aug = ImageDataGenerator(
    rotation_range=25,
    width_shift_range=0.1,
    height_shift_range=0.1,
    shear_range=0.2,
    zoom_range=0.2,
    horizontal_flip=True,
    fill_mode="nearest",
)
flow = aug.flow(trainX, trainY, batch_size=6, seed=42)
WITHIN = {"x": 1.5 / 255}
batches = [next(flow) for _ in range(len(trainX) // 6)]
results = {"x": [x for x, _ in batches], "y": [y for _, y in batches], "test": testX}
