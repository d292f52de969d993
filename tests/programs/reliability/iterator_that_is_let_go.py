import gc

import psutil
from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

generator = ImageDataGenerator(cores=2)
it = generator.flow_from_directory(FOLDER, **FLOW)
images, targets = next(it)
before = images.copy()
tell(workers=workers())
exec(ARGUMENTS[0])  # a statement that lets go of the iterator
gc.collect()
left = psutil.wait_procs(psutil.Process().children(), timeout=2)[1]
tell(left=len(left), same=bool((images == before).all()))
again = generator.flow_from_directory(FOLDER, **FLOW)
tell(again=bool((next(again)[0] == before).all()), workers=workers())
