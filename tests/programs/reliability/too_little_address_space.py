"""A worker whose address space is too small for the second of two files, until it is told otherwise."""

import resource
import sys

import psutil

from imageloom import ImageDataGenerator
from imageloom._api import engine

engine._may_compute_here = lambda *_: False  # workers compute from the first batch on

generator = ImageDataGenerator(cores=1, max_batches_pending=1, on_bad_image="replace")
it = generator.flow_from_directory(sys.argv[1], target_size=(64, 64), batch_size=1, shuffle=False)
it[0]
(worker,) = psutil.Process().children()
most = worker.memory_info().vms + 10 * 2**20
worker.rlimit(psutil.RLIMIT_AS, (most, resource.RLIM_INFINITY))
try:
    it[1]
except Exception as error:
    print(type(error).__name__, error)
print(it.bad_images)
worker.rlimit(psutil.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(it[1][0].shape, it.bad_images, psutil.Process().children() == [worker])
