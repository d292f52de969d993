import threading

from holding import hold_on
from pressing import lead_a_group, press_when, wait_until_held
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

generator = ImageDataGenerator(cores=1, preprocessing_function=lambda x: hold_on(x, 4))
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())

lead_a_group()
wait_until_held()

press_when(lambda: it.is_shutdown)
# A statement that closes the iterator; that takes half a second, because its worker is held.
exec(ARGUMENTS[0])
threading.Event().wait(60)  # should Ctrl-C come just after the end of close
tell(unreachable=True)
