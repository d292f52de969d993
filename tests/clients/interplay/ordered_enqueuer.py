"""Keras 2's `OrderedEnqueuer`: batches by number, read ahead by threads, in order."""

import numpy as np
from tf_keras.preprocessing.image import ImageDataGenerator
from tf_keras.utils import OrderedEnqueuer

data = np.load("data/arrays.npz")
flow = ImageDataGenerator(rescale=1 / 255).flow(data["x"], np.arange(40), batch_size=8, shuffle=False)
enqueuer = OrderedEnqueuer(flow, use_multiprocessing=False, shuffle=False)
enqueuer.start(workers=2, max_queue_size=4)
output = enqueuer.get()
batches = [next(output) for _ in range(len(flow))]
enqueuer.stop()
results = {"batches": batches}
