"""Rare classes are repeated in the table until all have the same number of rows."""

import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

df = pd.read_csv("data/labels.csv")
largest = df["class"].value_counts().max()
parts = [df]
for _, group in df.groupby("class"):
    parts.append(group.sample(largest - len(group), replace=True, random_state=0))
balanced = pd.concat(parts).sample(frac=1, random_state=1).reset_index(drop=True)

flow = ImageDataGenerator(rotation_range=20).flow_from_dataframe(
    balanced, "data/train", target_size=(14, 14), batch_size=8, class_mode="sparse", seed=5
)
WITHIN = {"x": 1.5}
batches = [next(flow) for _ in range(len(flow))]
results = {
    "n": flow.n,
    "per class": pd.Series(flow.classes).value_counts().sort_index().to_numpy(),
    "x": [x for x, _ in batches],
    "y": [y for _, y in batches],
}
