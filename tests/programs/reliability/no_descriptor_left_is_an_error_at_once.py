import os
import resource

from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

it = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **FLOW)
taken = []
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
try:
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    for _ in range(5):  # for the dispatcher and the memory, but for no worker
        os.close(taken.pop())
try:
    next(it)
except (OSError, RuntimeError) as error:
    told = {"kind": type(error).__name__, "text": str(error)}
for descriptor in taken:
    os.close(descriptor)
again = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **FLOW)
tell(**told, again=next(again)[0].shape, workers=workers())
