"""Segmentation: two generators with one seed, zipped, masks made binary on the way."""

from keras.preprocessing.image import ImageDataGenerator

data_gen_args = dict(rotation_range=20, width_shift_range=0.1, height_shift_range=0.1, zoom_range=0.2,
                     horizontal_flip=True, fill_mode="reflect")  # fmt: skip
image_datagen = ImageDataGenerator(**data_gen_args)
mask_datagen = ImageDataGenerator(**data_gen_args)
seed = 1
common = dict(class_mode=None, target_size=(32, 32), batch_size=2, seed=seed)
image_generator = image_datagen.flow_from_directory("data/pairs/images", **common)
mask_generator = mask_datagen.flow_from_directory("data/pairs/masks", color_mode="grayscale", **common)


def adjusted():
    for img, mask in zip(image_generator, mask_generator):
        yield img / 255, (mask > 127).astype("float32")


train_generator = adjusted()
batches = [next(train_generator) for _ in range(6)]
results = {"x": [x for x, _ in batches], "masks": [float(m.mean()) for _, m in batches]}
WITHIN = {"x": 1.5 / 255, "masks": 2e-3}
