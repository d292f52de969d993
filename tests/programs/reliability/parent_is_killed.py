import threading

from holding import hold_on
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

generator = ImageDataGenerator(
    # With two workers the first batch might be among those that are held.
    cores=ARGUMENTS[0],
    preprocessing_function=lambda x: hold_on(x, ARGUMENTS[1]),
)
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())
threading.Event().wait(120)
