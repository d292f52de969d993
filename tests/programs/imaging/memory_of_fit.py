import json
import resource
import sys

import numpy as np

from imageloom import ImageDataGenerator

repeats = int(sys.argv[1])
some = np.random.default_rng(0).integers(0, 256, (40, 256, 256, 3), np.uint8)
with open("pixels", "wb") as file:
    for _ in range(repeats):
        some.tofile(file)
images = np.memmap("pixels", np.uint8, "r", shape=(repeats * 40, 256, 256, 3))
generator = ImageDataGenerator(cores=2, featurewise_std_normalization=True, featurewise_center=True)
generator.fit(generator.flow(images[:64], batch_size=32))  # loads all that is needed
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
generator.fit(generator.flow(images, batch_size=32))
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
megabytes = more / (2**20 if sys.platform == "darwin" else 2**10)
print(json.dumps([megabytes, float(abs(generator.mean.ravel() - some.mean((0, 1, 2))).max())]))
