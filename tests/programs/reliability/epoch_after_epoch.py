import gc
import json
import os
import sys
import threading

import psutil

from imageloom import ImageDataGenerator
from imageloom._api import engine

engine._may_compute_here = lambda *_: False  # worker processes compute from the first batch on

# One batch that is lost in each epoch would show: it has 1.7 MB.
FLOW = {"target_size": (192, 192), "batch_size": 4, "seed": 1}
executor, leak = sys.argv[1], sys.argv[4]
epochs, expected_workers = map(int, sys.argv[2:4])
this = psutil.Process()


def workers():
    return [c for c in this.children() if "imageloom" in " ".join(c.cmdline())]


def settled():
    # Descriptors of the closed are closed in the background.
    gc.collect()
    for _ in range(100):
        if len(workers()) == expected_workers and this.num_threads() <= most_threads:
            break
        threading.Event().wait(0.005)
    memory = this.memory_full_info()
    return {
        "resident": memory.rss,
        "own": memory.uss,
        "of_workers": max([w.memory_full_info().uss for w in workers()], default=0),
        "descriptors": this.num_fds() if os.name == "posix" else this.num_handles(),
        "of_worker_descriptors": max([w.num_fds() for w in workers()], default=0),
        "threads": this.num_threads(),
        "children": len(this.children(recursive=True)),
    }


def made(subset):
    generator = ImageDataGenerator(
        cores=2, executor=executor, max_batches_pending=1, validation_split=0.3, rotation_range=20
    )
    return generator, generator.flow_from_directory(os.environ["CROPS"], subset=subset, **FLOW)


generator, train = made("training")
_, validation = made("validation")
most_threads, measured = 10**6, []
for _ in range(epochs):
    train.on_epoch_begin()
    for i in range(len(train)):
        images, targets = train[i]
    train.on_epoch_end()
    for _ in range(len(validation)):
        images, targets = next(validation)
    # As `evaluate` does, and as programs do that make an iterator each time.
    with generator.flow_from_directory(os.environ["CROPS"], subset="validation", **FLOW) as again:
        images, targets = next(again)
    exec(leak)  # a statement that loses something, or does not
    del again, images, targets
    measured.append(settled())
    most_threads = measured[0]["threads"]
print("MEASURED " + json.dumps(measured))
