"""MLTK's hooks, which are given the parameters of the sample before the picture."""

import numpy as np

from imageloom import ParallelImageDataGenerator


def before(params, x):
    return x if params.subset == "validation" else x + 1


def after(params, x):
    return np.clip(x + params.rng.normal(0, 2, x.shape), 0, 255).astype("float32")


gen = ParallelImageDataGenerator(
    cores=2,
    noaug_preprocessing_function=before,
    preprocessing_function=after,
    rotation_range=10,
    validation_split=0.25,
)
results = {}
for subset in ("training", "validation"):
    flow = gen.flow_from_directory(
        "data/train", subset=subset, target_size=(12, 12), batch_size=4, seed=3
    )
    results[subset] = [next(flow) for _ in range(3)]
