import signal
import sys

from holding import hold_on
from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))

generator = ImageDataGenerator(cores=1, preprocessing_function=lambda x: hold_on(x, 4))
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())

next(it)
tell(unreachable=True)
