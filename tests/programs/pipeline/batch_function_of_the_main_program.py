import os
import sys

import numpy as np

from imageloom import ImageDataGenerator

SCALE = 3


def scaled(values):
    return values * SCALE


def get_batches(batch_index, filenames, classes, params):
    elsewhere = os.getpid() != params.image_data_generator.made_by
    return batch_index, (scaled(np.ones(params.batch_shape, params.dtype)), classes, elsewhere)


generator = ImageDataGenerator(cores=1, get_batch_function=get_batches)
generator.made_by = os.getpid()
with generator.flow_from_directory(sys.argv[1], (8, 8), batch_size=5, shuffle=False) as it:
    for _ in range(2):
        x, y, elsewhere = next(it)
        print(x.shape, x.min(), x.max(), y, elsewhere)
