from holding import hold_on
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

generator = ImageDataGenerator(
    cores=1, executor=ARGUMENTS[0], preprocessing_function=lambda x: hold_on(x, 4)
)
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())
