"""Short films: one transform for all frames of a clip, drawn with `get_random_transform`."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


class ClipGenerator:
    def __init__(self, clips, labels, batch_size, **augmentation):
        self.clips, self.labels, self.batch_size = clips, labels, batch_size
        self.augmenter = ImageDataGenerator(**augmentation)

    def __iter__(self):
        for start in range(0, len(self.clips), self.batch_size):
            batch = []
            for clip in self.clips[start : start + self.batch_size]:
                params = self.augmenter.get_random_transform(clip.shape[1:])
                batch.append(
                    [self.augmenter.apply_transform(f.astype("float32"), params) for f in clip]
                )
            yield np.array(batch), self.labels[start : start + self.batch_size]


WITHIN = {"x": 1.5}
data = np.load("data/clips.npz")
np.random.seed(11)
generator = ClipGenerator(data["clips"], data["y"], 2, rotation_range=15, zoom_range=0.1)
xs, ys = zip(*generator)
results = {"x": np.concatenate(xs), "y": np.concatenate(ys)}
