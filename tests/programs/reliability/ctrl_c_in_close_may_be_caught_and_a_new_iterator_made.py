import gc
import threading

import psutil
from holding import hold_on
from pressing import lead_a_group, press_when, wait_until_held
from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

generator = ImageDataGenerator(cores=1, preprocessing_function=lambda x: hold_on(x, 4))
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())

lead_a_group()
wait_until_held()

press_when(lambda closing=it: closing.is_shutdown)
try:
    it.close()
    threading.Event().wait(60)
except KeyboardInterrupt:
    plain = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **FLOW)
    with plain:
        shape = next(plain)[0].shape
    del it, generator
    gc.collect()
    left = psutil.wait_procs(psutil.Process().children(), timeout=3)[1]
    tell(shape=shape, left=len(left))
