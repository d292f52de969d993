"""The list of files is filtered after the iterator was made, with `_filepaths`, `n` and `samples`."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator().flow_from_directory(
    "data/train", target_size=(10, 10), class_mode="sparse", batch_size=4, shuffle=False
)
keep = [i for i, name in enumerate(flow.filenames) if name.endswith("jpg")]
flow._filepaths = [flow._filepaths[i] for i in keep]
flow.filenames = [flow.filenames[i] for i in keep]
flow.classes = np.asarray(flow.classes)[keep]
flow.samples = flow.n = len(keep)
flow._set_index_array()
batches = [next(flow) for _ in range(len(flow))]
results = {"n": flow.n, "len": len(flow), "batches": batches, "files": flow.filenames}
