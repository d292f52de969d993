"""For each file a flow of its own, of which three pictures are saved under the name of the file."""

import os

from keras.preprocessing.image import ImageDataGenerator, array_to_img, img_to_array, load_img

source, target = "data/train/rocket", "more"
os.makedirs(target)
datagen = ImageDataGenerator(rotation_range=30, horizontal_flip=True)
for number, name in enumerate(sorted(os.listdir(source))):
    x = img_to_array(load_img(os.path.join(source, name), target_size=(20, 20)))[None]
    for i, batch in enumerate(datagen.flow(x, batch_size=1, seed=number)):
        array_to_img(batch[0]).save(f"{target}/{os.path.splitext(name)[0]}_{i}.png")
        if i == 2:
            break

WITHIN = {"x": 2.5}
saved = sorted(os.listdir(target))
results = {"saved": saved, "x": [img_to_array(load_img(f"{target}/{name}")) for name in saved]}
