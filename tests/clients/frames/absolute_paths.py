"""No directory: the table has absolute paths, from `glob`."""

import glob
import os

import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

paths = sorted(glob.glob(os.path.join(os.getcwd(), "data", "train", "*", "*.*")))
frame = pd.DataFrame({"path": paths, "label": [os.path.basename(os.path.dirname(p)) for p in paths]})
flow = ImageDataGenerator().flow_from_dataframe(
    frame, x_col="path", y_col="label", target_size=(10, 10), batch_size=8, shuffle=False
)
x, y = next(flow)
results = {
    "x": x,
    "y": y,
    "same": flow.filenames == paths,
    "relative": [os.path.relpath(p) for p in flow.filepaths],
    "directory": flow.directory,
}
