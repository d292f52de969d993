"""Every method of resizing, with and without the aspect ratio."""

from keras.preprocessing.image import ImageDataGenerator

WITHIN = {}
results = {}
for keep in (False, True):
    for method in ("nearest", "bilinear", "bicubic", "lanczos")[keep : 4 - keep]:
        flow = ImageDataGenerator().flow_from_directory(
            "data/train",
            target_size=(22, 13),
            interpolation=method,
            keep_aspect_ratio=keep,
            shuffle=False,
            batch_size=9,
        )
        results[f"{method} {keep}"] = next(flow)[0]
        WITHIN[f"{method} {keep}"] = 1.5
