"""Two columns of one table, pictures and masks, by two flows with one seed."""

import glob

import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

df = pd.DataFrame(
    {
        "images": sorted(glob.glob("data/pairs/images/all/*")),
        "masks": sorted(glob.glob("data/pairs/masks/all/*")),
    }
)


def train_generator(frame, batch_size, aug, seed=1):
    for column, mode in (("images", "rgb"), ("masks", "grayscale")):
        yield ImageDataGenerator(**aug).flow_from_dataframe(
            frame, x_col=column, class_mode=None, color_mode=mode, target_size=(24, 24),
            batch_size=batch_size, seed=seed,
        )  # fmt: skip


a, b = train_generator(df, 4, dict(shear_range=5, horizontal_flip=True, fill_mode="nearest"))
pairs = [(next(a), next(b)) for _ in range(4)]
WITHIN = {"pairs": 1.5}
results = {"pairs": pairs}
