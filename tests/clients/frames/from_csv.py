"""A CSV file names pictures and classes."""

import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

df = pd.read_csv("data/labels.csv", dtype=str)
datagen = ImageDataGenerator(rescale=1.0 / 255.0, validation_split=0.25)
common = dict(
    dataframe=df,
    directory="data/train",
    x_col="filename",
    y_col="class",
    batch_size=5,
    seed=42,
    class_mode="categorical",
    target_size=(16, 16),
)
train = datagen.flow_from_dataframe(subset="training", shuffle=True, **common)
valid = datagen.flow_from_dataframe(subset="validation", shuffle=False, **common)
results = {
    "indices": train.class_indices,
    "train": [next(train) for _ in range(3)],
    "valid": next(valid),
    "files": valid.filenames,
}
