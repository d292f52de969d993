"""The classic of 2016: one picture, `save_to_dir`, a counter and `break`; then look at the files."""

import os

from keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img

datagen = ImageDataGenerator(
    rotation_range=40,
    width_shift_range=0.2,
    height_shift_range=0.2,
    shear_range=0.2,
    zoom_range=0.2,
    horizontal_flip=True,
    fill_mode="nearest",
)

img = load_img("data/train/chelsea/01.jpg")
x = img_to_array(img)
x = x.reshape((1,) + x.shape)

os.mkdir("preview")
i = 0
for batch in datagen.flow(
    x, batch_size=1, save_to_dir="preview", save_prefix="cat", save_format="jpeg"
):
    i += 1
    if i > 20:
        break

names = os.listdir("preview")
results = {
    "shape": batch.shape,
    # Two pictures may get one name by chance, in Keras too.
    "about_as_many": 19 <= len(names) <= 21,
    "prefixes": sorted({n.rsplit("_", 1)[0] for n in names}),
    "suffixes": sorted({os.path.splitext(n)[1] for n in names}),
    "sizes": sorted({load_img(os.path.join("preview", n)).size for n in names}),
}
