"""One folder, two subsets: the usual way to validate where there is no second folder."""

from keras.preprocessing.image import ImageDataGenerator

data_gen = ImageDataGenerator(rescale=1 / 255.0, validation_split=0.3)
args = {"directory": "data/train", "target_size": (16, 16), "batch_size": 5, "seed": 123}
train = data_gen.flow_from_directory(subset="training", **args)
val = data_gen.flow_from_directory(subset="validation", shuffle=False, **args)

results = {
    "train files": sorted(train.filenames),
    "val files": val.filenames,
    "overlap": sorted(set(train.filenames) & set(val.filenames)),
    "classes": [train.classes, val.classes],
    "first of train": next(train),
    "first of val": next(val),
}
