"""A function takes arrays and iterators, and asks with `isinstance` what it got."""

import numpy as np
from keras.preprocessing import image

data = np.load("data/arrays.npz")
gen = image.ImageDataGenerator()


def describe(what):
    if isinstance(what, image.DirectoryIterator):
        return "directory", what.samples
    if isinstance(what, image.NumpyArrayIterator):
        return "arrays", what.n
    return type(what).__name__, len(what)


results = {
    "kinds": [
        describe(data["x"]),
        describe(gen.flow(data["x"])),
        describe(gen.flow_from_directory("data/train")),
    ],
    "names": [type(gen.flow(data["x"])).__name__, type(gen.flow_from_directory("data/train")).__name__],
    "base": [isinstance(gen.flow(data["x"]), image.Iterator)],
}
