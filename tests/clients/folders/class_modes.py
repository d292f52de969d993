"""The same folder with every `class_mode`."""

from keras.preprocessing.image import ImageDataGenerator

results = {}
for mode in ("categorical", "sparse", "input", None):
    gen = ImageDataGenerator(horizontal_flip=True)
    it = gen.flow_from_directory("data/train", (20, 20), class_mode=mode, batch_size=6, seed=7)
    results[str(mode)] = [next(it), next(it)]

two = ImageDataGenerator().flow_from_directory(
    "data/train", target_size=(20, 20), classes=["rocket", "coffee"], class_mode="binary", seed=7
)
results["binary"] = next(two)
results["indices"] = two.class_indices
