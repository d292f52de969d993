from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
for number, _ in enumerate(it):
    if number == 2:
        tell(workers=workers())
        raise ValueError("of the user's own")
