"""An augmented data set is written into an HDF5 file, in blocks that grow."""

import h5py
from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator(rotation_range=10).flow_from_directory(
    "data/train", target_size=(12, 12), class_mode="sparse", batch_size=6, seed=1
)
with h5py.File("augmented.h5", "w") as f:
    xs = f.create_dataset("x", (0, 12, 12, 3), maxshape=(None, 12, 12, 3), chunks=True, dtype="f4")
    ys = f.create_dataset("y", (0,), maxshape=(None,), dtype="i4")
    while len(xs) < 3 * flow.n:
        x, y = next(flow)
        start = len(xs)
        xs.resize(start + len(x), axis=0)
        ys.resize(start + len(y), axis=0)
        xs[start:], ys[start:] = x, y
    f.attrs["classes"] = list(flow.class_indices)

with h5py.File("augmented.h5") as f:
    results = {"x": f["x"][()], "y": f["y"][()], "classes": [str(c) for c in f.attrs["classes"]]}
WITHIN = {"x": 1.5}
