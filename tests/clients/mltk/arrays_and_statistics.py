"""MLTK's generator with `fit` and `flow` of arrays, read by number and by `next`."""

import numpy as np

from imageloom import ParallelImageDataGenerator

data = np.load("data/arrays.npz")
gen = ParallelImageDataGenerator(
    cores=2,
    featurewise_center=True,
    featurewise_std_normalization=True,
    rotation_range=20,
    noise="gauss",
)
gen.fit(data["x"].astype("float32"))
flow = gen.flow(data["x"], data["y"], batch_size=9, seed=1)
results = {
    "by next": [next(flow) for _ in range(6)],
    "by number": [flow[2], flow[0]],
    "mean": gen.mean,
    "count": flow.sample_count,
}
