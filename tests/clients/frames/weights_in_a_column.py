"""`weight_col`: the weight of each picture stands in the table."""

import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

df = pd.read_csv("data/labels.csv")
flow = ImageDataGenerator().flow_from_dataframe(
    df,
    "data/train",
    weight_col="weight",
    class_mode="sparse",
    target_size=(12, 12),
    batch_size=9,
    seed=8,
)
batches = [next(flow) for _ in range(3)]
results = {"batches": batches, "lengths": [len(b) for b in batches], "all": flow.sample_weight}
