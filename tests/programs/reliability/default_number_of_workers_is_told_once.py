from telling import FLOW, FOLDER, tell, workers

from imageloom import ParallelImageDataGenerator

for _ in range(2):
    with ParallelImageDataGenerator().flow_from_directory(FOLDER, **FLOW) as it:
        next(it)
        tell(workers=workers())
