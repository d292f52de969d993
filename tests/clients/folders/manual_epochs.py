"""An epoch is counted by hand, because the generator never ends; the rest of a batch is cut off."""

from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/train", target_size=(8, 8), batch_size=6, class_mode="sparse", seed=4
)
epochs = []
for _ in range(3):
    batches, labels, total = 0, [], 0.0
    for x_batch, y_batch in flow:
        if len(x_batch) == 6:
            labels.extend(int(v) for v in y_batch)
            total += float(x_batch.mean())
        batches += 1
        if batches >= flow.n / flow.batch_size:
            break
    epochs.append({"batches": batches, "labels": labels, "total": total})
results = {"epochs": epochs}
WITHIN = {"epochs": 1e-4}
