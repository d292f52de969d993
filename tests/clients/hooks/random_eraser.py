"""Random erasing as a hook that draws from NumPy; what it draws differs, what it erases does not."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


def get_random_eraser(p=1.0, s=0.25, value=0):
    def eraser(input_img):
        if np.random.rand() > p:
            return input_img
        h, w, _ = input_img.shape
        eh, ew = int(h * np.sqrt(s)), int(w * np.sqrt(s))
        top, left = np.random.randint(0, h - eh), np.random.randint(0, w - ew)
        input_img[top : top + eh, left : left + ew] = value
        return input_img

    return eraser


x = np.load("data/arrays.npz")["x"].clip(1)
flow = ImageDataGenerator(preprocessing_function=get_random_eraser()).flow(
    x, batch_size=8, shuffle=False
)
erased = np.concatenate([next(flow) for _ in range(5)])
rows = (erased == 0).all(axis=-1)
results = {
    "erased": rows.sum(axis=(1, 2)),
    "rest is as before": bool((erased[~rows] == x[~rows]).all()),
    "somewhere else": len({tuple(np.argwhere(r)[0]) for r in rows}) > 3,
    "data is as before": bool((x > 0).all()),
}
