"""No seed is given, NumPy's is set: two runs of the script have to see the same pictures."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/arrays.npz")


def one_run(seed):
    np.random.seed(seed)
    flow = ImageDataGenerator(rotation_range=90).flow(data["x"], data["y"], batch_size=8)
    xs, ys = zip(*(next(flow) for _ in range(6)))
    return np.concatenate(xs), np.concatenate(ys)


first, again, other = one_run(0), one_run(0), one_run(1)
results = {
    "same": all(np.array_equal(a, b) for a, b in zip(first, again)),
    "different": not np.array_equal(first[0], other[0]),
    "an_epoch_is_a_permutation": np.array_equal(np.sort(first[1][:40]), np.sort(data["y"])),
    "dtype": str(first[0].dtype),
}
