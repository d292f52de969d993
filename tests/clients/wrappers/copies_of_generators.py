"""Generators are copied, deep-copied and pickled; the copies give the same pictures."""

import copy
import pickle

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

x = np.load("data/arrays.npz")["x"].astype("float32")
gen = ImageDataGenerator(featurewise_center=True, zoom_range=0.3)
gen.fit(x)
others = {
    "deep": copy.deepcopy(gen),
    "shallow": copy.copy(gen),
    "pickled": pickle.loads(pickle.dumps(gen)),
}
others["deep"].rescale = 0.5
WITHIN = dict.fromkeys([*others, "original"], 1.5)
results = {name: next(g.flow(x, batch_size=8, seed=2)) for name, g in others.items()}
results["original"] = next(gen.flow(x, batch_size=8, seed=2))
results["zoom"] = list(others["deep"].zoom_range)
