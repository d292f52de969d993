"""Batches by their number, as `Sequence` allows: forwards, out of order, and with a bad number."""

from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator().flow_from_directory(
    "data/train", (10, 10), batch_size=5, class_mode="sparse", seed=1
)
forwards = [flow[i] for i in range(len(flow))]
again = [flow[i][1] for i in (2, 0, 1)]
try:
    flow[len(flow)]
except ValueError as error:
    refused = isinstance(error, ValueError)
results = {"forwards": forwards, "again": again, "refused": refused}
