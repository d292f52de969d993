import threading

from comparing import expected, left
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

right = expected(8)
generators = [ImageDataGenerator(cores=1) for _ in range(ARGUMENTS[0])]
flows = [generators[i % len(generators)].flow_from_directory(FOLDER, **FLOW) for i in range(10)]
received = [[] for _ in flows]


def read(number):
    for _ in right:
        received[number].append(next(flows[number])[0])


if ARGUMENTS[1]:
    threads = [threading.Thread(target=read, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
else:
    for _ in right:
        for it, batches in zip(flows, received, strict=True):
            batches.append(next(it)[0])
running = workers()
tell(workers=running, count=len(running))
same = all((a == b).all() for batches in received for a, b in zip(batches, right, strict=True))
for it in flows[::2]:
    it.close()
more = all((next(it)[0] == expected(9)[-1]).all() for it in flows[1::2])
flows = it = None
tell(same=bool(same), more=bool(more), left=left())
