"""A contrast filter of OpenCV lies on the object that owns the hook."""

import cv2
import numpy as np
from keras.preprocessing.image import ImageDataGenerator


class Preprocessor:
    def __init__(self, clip_limit=2.0):
        self.clahe = cv2.createCLAHE(clipLimit=clip_limit, tileGridSize=(2, 2))

    def __call__(self, img):
        lab = cv2.cvtColor(img.astype("uint8"), cv2.COLOR_RGB2LAB)
        lab[..., 0] = self.clahe.apply(lab[..., 0])
        return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).astype("float32")


flow = ImageDataGenerator(preprocessing_function=Preprocessor(), rescale=1 / 255).flow_from_directory(
    "data/train", target_size=(16, 16), batch_size=5, seed=2
)
results = {"batches": [next(flow) for _ in range(2)]}
assert np.isfinite(results["batches"][0][0]).all()
