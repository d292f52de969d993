import os
import signal
import sys

from holding import hold_on
from pressing import lead_a_group, wait_until_held
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

generator = ImageDataGenerator(cores=1, preprocessing_function=lambda x: hold_on(x, 4))
it = generator.flow_from_directory(FOLDER, **FLOW)
next(it)
tell(workers=workers())

lead_a_group()
wait_until_held()

ways = {
    "_exit": lambda: os._exit(3),
    "abort": os.abort,
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "exec": lambda: os.execv(sys.executable, [sys.executable, "-c", ""]),
}
ways[ARGUMENTS[0]]()
