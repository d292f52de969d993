import os
import signal
import threading

from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

flows = [ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW) for _ in range(ARGUMENTS[0])]


def press():
    while len(workers()) < 1:
        threading.Event().wait(0.001)
    tell(workers=workers())
    os.killpg(os.getpgid(0), signal.SIGINT)


threading.Thread(target=press).start()
while True:
    for it in flows:
        next(it)
