"""`class_mode="multi_output"` for a model with two heads."""

import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

df = pd.read_csv("data/labels.csv")
df["kind"] = df["class"].astype("category").cat.codes
flow = ImageDataGenerator(horizontal_flip=True).flow_from_dataframe(
    df,
    "data/train",
    x_col="filename",
    y_col=["kind", "x"],
    class_mode="multi_output",
    target_size=(14, 14),
    batch_size=6,
    seed=6,
)
x, outputs = next(flow)
results = {"x": x, "kinds": outputs[0], "numbers": outputs[1], "parts": len(outputs)}
