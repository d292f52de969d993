"""A thread of one's own fills a queue ahead of the training loop."""

import queue
import threading

from keras.preprocessing.image import ImageDataGenerator

flow = ImageDataGenerator(rotation_range=30).flow_from_directory(
    "data/train", target_size=(12, 12), batch_size=5, seed=6
)
q, stop = queue.Queue(maxsize=3), threading.Event()


def produce():
    while not stop.is_set():
        batch = next(flow)
        while not stop.is_set():
            try:
                q.put(batch, timeout=0.05)
                break
            except queue.Full:
                continue


producer = threading.Thread(target=produce, daemon=True)
producer.start()
batches = [q.get() for _ in range(9)]
stop.set()
producer.join()
WITHIN = {"x": 1.5}
results = {"x": [b[0] for b in batches], "y": [b[1] for b in batches]}
