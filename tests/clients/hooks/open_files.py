"""The object of the hook has an open log and an open data file on itself."""

import json

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

with open("settings.json", "w") as f:
    json.dump({"gamma": 0.8}, f)


class Gamma:
    def __init__(self):
        self.log = open("log.txt", "w")
        self.file = open("settings.json")
        self.gamma = json.load(self.file)["gamma"]

    def correct(self, x):
        return 255 * np.power(x / 255, self.gamma)


gamma = Gamma()
flow = ImageDataGenerator(preprocessing_function=gamma.correct).flow_from_directory(
    "data/train", (12, 12), batch_size=6, seed=4
)
results = {"batches": [next(flow) for _ in range(2)]}
gamma.log.close()
gamma.file.close()
