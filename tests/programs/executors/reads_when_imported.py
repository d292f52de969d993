from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

tell(imports=__name__)


def halve(x):
    return x / 2


generator = ImageDataGenerator(cores=2, preprocessing_function=halve)
for _ in range(2):
    with generator.flow_from_directory(FOLDER, **FLOW) as it:
        batches = [next(it) for _ in range(4)]
        tell(workers=workers(), fallback=it.report().fallback)
