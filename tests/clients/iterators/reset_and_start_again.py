"""`reset` in the middle of an ordered epoch, and a second `for` over the same iterator."""

from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator().flow_from_directory(
    "data/validation", (8, 8), class_mode="sparse", batch_size=2, shuffle=False
)
log = [next(flow)[1] for _ in range(2)]
flow.reset()
for number, (_, y) in enumerate(flow):
    log.append(y)
    if number == 3:
        break
for number, (_, y) in enumerate(flow):
    log.append(y)
    if number == 3:
        break
results = {"log": log, "position": flow.batch_index}
