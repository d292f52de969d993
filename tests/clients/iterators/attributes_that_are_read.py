"""All the attributes that scripts read from an iterator, in one place."""

from keras.preprocessing.image import ImageDataGenerator

gen = ImageDataGenerator(validation_split=0.5)
it = gen.flow_from_directory(
    "data/train", (9, 11), batch_size=4, subset="training", seed=3, save_prefix="p"
)
names = [
    "n",
    "samples",
    "batch_size",
    "seed",
    "shuffle",
    "batch_index",
    "total_batches_seen",
    "num_classes",
    "class_indices",
    "class_mode",
    "classes",
    "labels",
    "filenames",
    "image_shape",
    "target_size",
    "color_mode",
    "data_format",
    "interpolation",
    "save_prefix",
    "save_format",
    "save_to_dir",
    "subset",
    "split",
    "keep_aspect_ratio",
    "directory",
    "sample_weight",
]
results = {name: getattr(it, name) for name in names}
results["same generator"] = it.image_data_generator is gen
results["paths"] = [path.replace("\\", "/") for path in it.filepaths]
next(it)
results["afterwards"] = [it.batch_index, it.total_batches_seen]
