"""`save_to_dir` of a folder: as many files as pictures that were taken, named after their numbers."""

import os

from keras.preprocessing.image import ImageDataGenerator

os.makedirs("augmented")
gen = ImageDataGenerator(rotation_range=15, rescale=1 / 255)
flow = gen.flow_from_directory(
    "data/train",
    target_size=(20, 20),
    batch_size=4,
    shuffle=False,
    save_to_dir="augmented",
    save_prefix="aug",
    save_format="png",
)
counts = []
for _ in range(3):
    next(flow)
    counts.append(len(os.listdir("augmented")))
numbers = sorted(int(name.split("_")[1]) for name in os.listdir("augmented"))
results = {"counts": counts, "numbers": numbers}
