import os
import threading

from telling import FLOW, FOLDER, SIGNALS, tell, workers

from imageloom import ImageDataGenerator


def held_once(x):
    if not os.path.exists(os.path.join(SIGNALS, "go")):
        open(os.path.join(SIGNALS, "held"), "w").close()
        while not os.path.exists(os.path.join(SIGNALS, "go")):
            threading.Event().wait(0.01)
    return x


plain = next(ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW))
it = ImageDataGenerator(cores=1, preprocessing_function=held_once).flow_from_directory(FOLDER, **FLOW)
tell()
try:
    next(it)
except KeyboardInterrupt:
    open(os.path.join(SIGNALS, "go"), "w").close()
    batches = [next(it) for _ in range(6)]
    it.reset()
    tell(same=bool((it[0][0] == plain[0]).all()), workers=workers())
