"""CutMix within a batch, written into the arrays that the flow gave."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


def cutmix(flow, rng):
    for x, y in flow:
        order = rng.permutation(len(x))
        h, w = x.shape[1:3]
        lam = rng.beta(1.0, 1.0)
        ch, cw = int(h * np.sqrt(1 - lam)), int(w * np.sqrt(1 - lam))
        top, left = rng.randint(0, h - ch + 1), rng.randint(0, w - cw + 1)
        patch = x[order, top : top + ch, left : left + cw].copy()
        x[:, top : top + ch, left : left + cw] = patch
        share = 1 - ch * cw / (h * w)
        y *= share
        y += (1 - share) * np.eye(y.shape[1], dtype=y.dtype)[np.argmax(y[order], axis=1)]
        yield x, y


it = ImageDataGenerator(horizontal_flip=True).flow_from_directory(
    "data/train", (16, 16), batch_size=8, seed=0
)
mixed = cutmix(it, np.random.RandomState(3))
results = {"batches": [next(mixed) for _ in range(4)]}
