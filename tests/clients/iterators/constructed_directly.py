"""The iterator classes are constructed without a generator's method, positionally."""

import numpy as np
from keras.preprocessing import image

data = np.load("data/arrays.npz")
gen = image.ImageDataGenerator(rescale=1 / 255)
folder = image.DirectoryIterator("data/train", gen, (12, 12), "grayscale", batch_size=5, seed=1)
arrays = image.NumpyArrayIterator(data["x"], data["y"], gen, 8, False)
results = {
    "folder": next(folder),
    "arrays": next(arrays),
    "formats": sorted(image.DirectoryIterator.white_list_formats),
    "modes": sorted(str(m) for m in image.DirectoryIterator.allowed_class_modes),
}
