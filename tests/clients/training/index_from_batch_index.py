"""Which files are in this batch: computed from `batch_index`, as answers on the web recommend."""

from keras.preprocessing.image import ImageDataGenerator

gen = ImageDataGenerator().flow_from_directory(
    "data/train", target_size=(8, 8), batch_size=5, class_mode="sparse", shuffle=False
)
read = []
for x, y in gen:
    idx = (gen.batch_index - 1) * gen.batch_size
    if idx < 0:  # the last batch of the epoch
        read.append((gen.batch_index, gen.total_batches_seen, y))
        break
    read.append((gen.filenames[idx : idx + gen.batch_size], gen.total_batches_seen, y))

shuffled = ImageDataGenerator().flow_from_directory(
    "data/train", target_size=(8, 8), batch_size=5, class_mode="sparse", seed=3
)
chosen = []
for _ in range(3):
    position = shuffled.batch_index * shuffled.batch_size
    x, y = next(shuffled)
    which = shuffled.index_array[position : position + shuffled.batch_size]
    chosen.append([shuffled.filenames[i] for i in which])
    assert (shuffled.classes[which] == y).all()
results = {"read": read, "chosen": chosen}
