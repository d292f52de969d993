"""A script of MLTK: keyword arguments, cores, a maximum of samples, and `debug` switched off."""

from imageloom import ParallelImageDataGenerator

datagen = ParallelImageDataGenerator(
    cores=2,
    debug=False,
    max_batches_pending=8,
    rotation_range=15,
    width_shift_range=5,
    height_shift_range=5,
    brightness_range=(0.80, 1.10),
    contrast_range=(0.80, 1.10),
    noise=["gauss", "poisson", "s&p"],
    zoom_range=(0.95, 1.05),
    rescale=None,
    horizontal_flip=True,
    samplewise_center=True,
    samplewise_std_normalization=True,
    validation_split=0.2,
    validation_augmentation_enabled=False,
)
common = dict(
    directory="data/train", batch_size=4, target_size=(16, 16), color_mode="grayscale",
    class_mode="categorical", seed=42,
)  # fmt: skip
train = datagen.flow_from_directory(subset="training", shuffle=True, **common)
validation = datagen.flow_from_directory(subset="validation", shuffle=False, **common)
results = {
    "train": [next(train) for _ in range(4)],
    "validation": [next(validation) for _ in range(2)],
    "classes": train.class_indices,
    "shapes": [train.batch_shape, validation.batch_shape],
}
train.shutdown()
validation.shutdown()
