"""What iterators have to give, and what has to be left of them."""

import gc
import threading

import psutil
from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator


def same_as_serial(epochs=2, tell=tell):
    """Tells whether worker processes make the batches of the serial executor."""
    flows = []
    for executor in ("serial", "processes"):
        generator = ImageDataGenerator(cores=2, executor=executor, rotation_range=20)
        flows.append(generator.flow_from_directory(FOLDER, **FLOW))
    plain, other = flows
    with other:
        same = [bool((next(plain)[0] == next(other)[0]).all()) for _ in range(epochs * len(plain))]
        tell(same=all(same), batches=len(same), workers=workers())


def expected(batches):
    it = ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW)
    return [next(it)[0] for _ in range(batches)]


def left():
    """How many child processes outlive three seconds. The library's threads have ended then, too."""
    gc.collect()
    outlive = psutil.wait_procs(psutil.Process().children(), timeout=3)[1]
    for thread in threading.enumerate():
        if thread.name.startswith("imageloom"):
            thread.join(3)
    return len(outlive)
