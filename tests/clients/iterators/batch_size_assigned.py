"""Progressive training: the batch grows, the size of the picture too, and shuffling is switched off."""

from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator().flow_from_directory(
    "data/train", target_size=(8, 8), class_mode="sparse", seed=3
)
shapes, labels = [], []
for batch_size, side in ((3, 8), (6, 12), (9, 16)):
    flow.reset()
    flow.batch_size = batch_size
    flow.target_size = (side, side)
    flow.image_shape = (side, side, 3)
    flow.shuffle = False
    x, y = next(flow)
    shapes.append(x.shape)
    labels.append(y)
results = {"shapes": shapes, "labels": labels, "x": x}
