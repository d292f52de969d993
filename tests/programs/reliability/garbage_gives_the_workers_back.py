import threading

from comparing import expected, left
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

kept = []


def use():
    it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
    kept.append(next(it)[0])
    if ARGUMENTS[0]:
        it.itself = it
    tell(count=len(workers()), workers=workers())


if ARGUMENTS[1] == "thread":
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
else:
    use()
tell(left=left(), same=bool((kept[0] == expected(1)[0]).all()), threads=threading.active_count())
