"""`tf.data.Dataset.from_generator` around the flow, with prefetching and `take`."""

import tensorflow as tf
from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator(rescale=1 / 255, horizontal_flip=True).flow_from_directory(
    "data/train", target_size=(12, 12), batch_size=8, seed=3
)
ds = tf.data.Dataset.from_generator(
    lambda: flow,
    output_types=(tf.float32, tf.float32),
    output_shapes=([None, 12, 12, 3], [None, flow.num_classes]),
)
batches = [(x.numpy(), y.numpy()) for x, y in ds.take(5)]
results = {"batches": batches}
