"""Rows without a file are dropped with a warning; `validate_filenames=False` trusts the table."""

import warnings

import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

frame = pd.read_csv("data/labels.csv").head(6)
broken = pd.concat([frame, pd.DataFrame({"filename": ["no/such.jpg"], "class": ["rocket"]})])

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    checked = ImageDataGenerator().flow_from_dataframe(
        broken, "data/train", target_size=(10, 10), shuffle=False
    )
trusted = ImageDataGenerator().flow_from_dataframe(
    frame, "data/train", target_size=(10, 10), shuffle=False, validate_filenames=False
)
everything = ImageDataGenerator().flow_from_dataframe(
    broken, "data/train", target_size=(10, 10), shuffle=False, validate_filenames=False, batch_size=7
)
try:
    next(everything)
except FileNotFoundError:
    missing = True
results = {
    "checked": [checked.n, checked.class_indices, next(checked)],
    "warned": [w.category.__name__ for w in caught if "invalid image filename" in str(w.message)],
    "trusted": next(trusted),
    "everything": everything.n,
    "missing": missing,
}
