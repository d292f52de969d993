"""A `PyDataset` around a flow, read by four of Keras' threads at a time."""

import keras
from keras.preprocessing.image import ImageDataGenerator


class Reversed(keras.utils.PyDataset):
    """Colours are swapped, as OpenCV would have them."""

    def __init__(self, it):
        super().__init__(workers=4, use_multiprocessing=False, max_queue_size=8)
        self.it = it

    def __len__(self):
        return len(self.it)

    def __getitem__(self, i):
        x, y = self.it[i]
        return x[..., ::-1], y


it = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/train", target_size=(12, 12), class_mode="sparse", batch_size=4, shuffle=False
)
model = keras.Sequential(
    [keras.Input((12, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
)
model.compile("sgd", "sparse_categorical_crossentropy")
losses = model.fit(Reversed(it), epochs=2, shuffle=False, verbose=0).history["loss"]
predicted = model.predict(Reversed(it), verbose=0)

WITHIN = {"losses": 5e-3, "predicted": 5e-3}
results = {"losses": losses, "predicted": predicted}
