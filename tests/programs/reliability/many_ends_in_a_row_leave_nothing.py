import os

from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

it = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())
os.kill(os.getpid(), 9)
