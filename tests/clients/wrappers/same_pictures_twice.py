"""Two iterators of one generator and seed, one for the network and one to look at, stay in step."""

from keras.preprocessing.image import ImageDataGenerator

gen = ImageDataGenerator(vertical_flip=True)
a = gen.flow_from_directory("data/train", (12, 12), batch_size=5, seed=8)
b = gen.flow_from_directory("data/train", (12, 12), batch_size=5, seed=8)
steps = []
for _ in range(7):
    (xa, ya), (xb, yb) = next(a), next(b)
    steps.append(bool((xa == xb).all() and (ya == yb).all()))
results = {"steps": steps, "last": xa, "seen": [a.total_batches_seen, b.total_batches_seen]}
