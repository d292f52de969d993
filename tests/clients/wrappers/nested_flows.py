"""An outer flow gives batches, each of which an inner flow augments again."""

from keras.preprocessing.image import ImageDataGenerator

outer = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/train", target_size=(16, 16), batch_size=8, class_mode="sparse", seed=1
)
inner = ImageDataGenerator(rotation_range=45, channel_shift_range=0.1)


def batches():
    for number, (x, y) in enumerate(outer):
        for again, (xa, ya) in enumerate(inner.flow(x, y, batch_size=4, seed=number)):
            yield xa, ya
            if again == 1:
                break


flow = batches()
got = [next(flow) for _ in range(8)]
WITHIN = {"x": 1.5 / 255}
results = {"x": [x for x, _ in got], "y": [y for _, y in got]}
