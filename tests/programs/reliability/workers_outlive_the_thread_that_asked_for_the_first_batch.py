import threading

from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
thread = threading.Thread(target=next, args=(it,))
thread.start()
thread.join()
before = workers()
for _ in range(12):
    next(it)
tell(same=workers() == before, workers=before)
