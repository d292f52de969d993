from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

for _ in range(2):
    with ImageDataGenerator().flow_from_directory(FOLDER, **FLOW) as it:
        next(it)
        tell(workers=workers())
