from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

it = ImageDataGenerator(cores=2, rotation_range=10).flow_from_directory(FOLDER, **FLOW)
images, targets = next(it)
tell(shape=images.shape, workers=workers())
