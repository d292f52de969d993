import sys
import warnings

import numpy as np

from imageloom import ImageDataGenerator

OFFSET = 7
warnings.filterwarnings("ignore", "IL107")  # the pictures have one colour


def early(params, x, filename):
    return np.full_like(x, len(filename))


def made(scale):
    def late(x):
        return x * scale + OFFSET

    return late


generator = ImageDataGenerator(
    cores=1, noaug_preprocessing_function=early, preprocessing_function=made(2)
)
with generator.flow_from_directory(sys.argv[1], (8, 8), batch_size=5, shuffle=False) as it:
    print(np.unique(next(it)[0]))
generator = ImageDataGenerator(
    cores=1, get_batch_function=lambda number, files, classes, params: (number, OFFSET + len(files))
)
with generator.flow_from_directory(sys.argv[1], (8, 8), batch_size=5) as it:
    print(next(it))
