import os
import sys
import threading

from comparing import left
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator


def descriptors():
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


generator = ImageDataGenerator(cores=2)
counts = []
for _ in range(10):
    it = generator.flow_from_directory(FOLDER, **FLOW)
    for number, _batch in enumerate(it):
        if number == 2:
            break
    counts.append((len(workers()), threading.active_count(), descriptors()))
    exec(ARGUMENTS[0])  # a statement that lets go of the iterator, or does not
it = _batch = None
gone = left()
tell(left=gone, counts=counts, threads=threading.active_count())
