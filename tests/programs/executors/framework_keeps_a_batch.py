import gc
import os
import sys

import numpy as np
from taking import way_of

from imageloom import ImageDataGenerator

take, change = way_of(sys.argv[1])


def flow(**options):
    generator = ImageDataGenerator(rotation_range=20, max_batches_pending=1, **options)
    return generator.flow_from_directory(
        os.environ["CROPS"], target_size=(64, 64), batch_size=4, seed=1, shuffle=False
    )


plain, it = flow(executor="serial"), flow(cores=1)
right, kept = [], []
for number in range(40):
    expected, images = next(plain)[0], next(it)[0]
    if number % 3 == 0 and len(kept) < 12:
        right.append(expected)
        kept.append(take(images))
    del images
it.close()
del it
gc.collect()
print("same", [bool((np.asarray(a) == b).all()) for a, b in zip(kept, right, strict=True)].count(True))
change(kept[0])
print(
    "alone",
    [bool((np.asarray(a) == b).all()) for a, b in zip(kept, right, strict=True)][1:].count(True),
)
