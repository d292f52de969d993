import threading

from comparing import expected, left
from telling import FLOW, FOLDER, tell

from imageloom import ImageDataGenerator

it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
received = []


def read():
    for _ in range(6):
        received.append(next(it)[0].tobytes())


threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
same = sorted(received) == sorted(batch.tobytes() for batch in expected(48))
it.close()
tell(same=same, left=left())
