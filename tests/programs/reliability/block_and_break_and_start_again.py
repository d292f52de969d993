import psutil
from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

generator = ImageDataGenerator(cores=2)
counts = set()
for _ in range(3):
    with generator.flow_from_directory(FOLDER, **FLOW) as it:
        for _ in it:
            break
        for number, _batch in enumerate(it):
            if number == 3:
                break
        counts.add(it.total_batches_seen)
        tell(workers=workers())
left = psutil.wait_procs(psutil.Process().children(), timeout=2)[1]
tell(left=len(left), counts=sorted(counts))
