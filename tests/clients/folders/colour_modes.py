"""Grey, colour, and colour with alpha, of the same files."""

from keras.preprocessing.image import ImageDataGenerator

results = {}
for mode in ["grayscale", "rgb", "rgba"]:
    train = ImageDataGenerator(vertical_flip=True).flow_from_directory(
        "data/train", color_mode=mode, target_size=(24, 20), batch_size=8, seed=1
    )
    results[mode] = {"shape": list(train.image_shape), "x": next(train)[0]}
