"""`get_random_transform` once, applied to the picture, to its mask, and to the corners of a box."""

import math

import numpy as np
from keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img

gen = ImageDataGenerator(
    rotation_range=45, zoom_range=0.2, horizontal_flip=True, brightness_range=(0.8, 1.2)
)
results = {"params": [], "x": [], "mask": [], "corners": []}
WITHIN = {"x": 1.5, "mask": 1.5}
for number in range(4):
    x = img_to_array(load_img(f"data/pairs/images/all/{number:02d}.png"))
    mask = img_to_array(load_img(f"data/pairs/masks/all/{number:02d}.png", color_mode="grayscale"))
    params = gen.get_random_transform(x.shape, seed=number)
    results["params"].append({k: params[k] for k in sorted(params)})
    results["x"].append(gen.apply_transform(x, params))
    params["brightness"] = None
    results["mask"].append(gen.apply_transform(mask, params))
    angle = math.radians(params["theta"])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    results["corners"].append((np.array([[8, 8], [24, 24]]) - 15.5) @ turn + 15.5)
