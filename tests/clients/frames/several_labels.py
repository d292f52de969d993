"""Lists of tags: several classes for each picture."""

import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

df = pd.read_csv("data/labels.csv")
df["tags"] = df["tags"].apply(lambda s: s.split(" "))
flow = ImageDataGenerator().flow_from_dataframe(
    df, directory="data/train", x_col="filename", y_col="tags", target_size=(12, 12),
    batch_size=7, seed=1, classes=["odd", "rocket", "chelsea", "coffee"],
)  # fmt: skip
x, y = next(flow)
results = {"x": x, "y": y, "indices": flow.class_indices, "classes": [list(c) for c in flow.classes]}
