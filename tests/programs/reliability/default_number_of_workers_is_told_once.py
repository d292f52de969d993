from telling import FLOW, FOLDER, tell, workers

import imageloom

imageloom.set_verbosity(2)
with imageloom.ImageDataGenerator().flow_from_directory(FOLDER, **FLOW) as it:
    for _ in range(3):
        next(it)
        tell(workers=workers())
