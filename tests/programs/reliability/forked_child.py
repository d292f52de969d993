import gc
import os
import sys

from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

expected = ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW)
expected = [next(expected)[0] for _ in range(12)]
generator = ImageDataGenerator(cores=2)
it = generator.flow_from_directory(FOLDER, **FLOW)
received = [next(it)[0]]
before = workers()
tell(workers=before)
child = os.fork()
if child == 0:
    try:
        next(it)
    except RuntimeError as error:
        print("CHILD", type(error).__name__, error, flush=True)
    del it, received
    gc.collect()
    sys.exit(7)  # through all exit handlers
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
received += [next(it)[0] for _ in range(11)]
same = all((one == other).all() for one, other in zip(received, expected, strict=True))
tell(status=status, same=bool(same), undisturbed=workers() == before)
