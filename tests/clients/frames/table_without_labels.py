"""The test table has file names only; predictions go back into it as a column."""

import os

import keras
import numpy as np
import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

test_df = pd.DataFrame({"id": os.listdir("data/test/all")}).sort_values("id", ignore_index=True)
test_gen = ImageDataGenerator(rescale=1 / 255).flow_from_dataframe(
    test_df, "data/test/all", x_col="id", y_col=None, class_mode=None, target_size=(16, 16),
    batch_size=4, shuffle=False,
)  # fmt: skip
model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
predict = model.predict(test_gen, steps=int(np.ceil(len(test_df) / 4)), verbose=0)
test_df["category"] = np.argmax(predict, axis=-1)
test_df["category"] = test_df["category"].replace({1: "dog", 0: "cat"})
WITHIN = {"predict": 1e-4}
results = {"predict": predict, "rows": [list(r) for r in test_df.itertuples(index=False)]}
