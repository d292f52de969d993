"""The number of classes and of files is counted with `os.listdir`, before and after reading."""

import os

from keras.preprocessing.image import ImageDataGenerator

train_dir = "data/train"


def count():
    return len(os.listdir(train_dir)), {
        c: len(os.listdir(os.path.join(train_dir, c))) for c in sorted(os.listdir(train_dir))
    }


before = count()
flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(train_dir, (16, 16), batch_size=4)
for _ in range(len(flow)):
    x, y = next(flow)
after = count()

n_classes, files = after
results = {
    "before": before,
    "after": after,
    "last layer": y.shape[1] == n_classes,
    "all": sum(files.values()) == flow.samples,
}
