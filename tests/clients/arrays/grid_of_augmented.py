"""`for i, batch in enumerate(...)`, left with `break` after a few pictures of one image."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img

img = load_img("data/train/chelsea/00.jpg", target_size=(32, 32))
x = np.expand_dims(img_to_array(img), 0)
aug = ImageDataGenerator(rotation_range=25, zoom_range=0.2, shear_range=10, horizontal_flip=True)

shown = []
for i, batch in enumerate(aug.flow(x, batch_size=1, seed=5)):
    shown.append(batch[0].astype("uint8"))
    if i >= 8:
        break

WITHIN = {"shown": 1.5}
results = {"count": len(shown), "shown": np.stack(shown)}
