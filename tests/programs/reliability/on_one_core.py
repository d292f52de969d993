import os

from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
plain = ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW)
it = ImageDataGenerator(cores=ARGUMENTS[0]).flow_from_directory(FOLDER, **FLOW)
same = all((next(plain)[0] == next(it)[0]).all() for _ in range(12))
tell(same=bool(same), workers=workers(), count=len(workers()))
