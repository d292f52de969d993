import os

from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

it = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **FLOW)
next(it)
child = os.fork()
if child == 0:
    try:
        it[0]
    except RuntimeError as error:
        tell(kind=type(error).__name__, text=str(error))
    own = ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW)
    tell(own=next(own)[0].shape)
    os._exit(0)
os.waitpid(child, 0)
tell(workers=workers())
