"""`class_mode="raw"`: one number, or several, for each picture."""

import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

df = pd.read_csv("data/labels.csv")
gen = ImageDataGenerator()
kwargs = {"target_size": (12, 12), "class_mode": "raw", "batch_size": 8, "seed": 2}
one = gen.flow_from_dataframe(df, "data/train", y_col="x", **kwargs)
two = gen.flow_from_dataframe(df, "data/train", y_col=["x", "y"], **kwargs)
results = {"one": next(one), "two": next(two), "labels": two.labels}
