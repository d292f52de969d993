from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

half = 0.5
it = ImageDataGenerator(cores=2, preprocessing_function=lambda x: x * half).flow_from_directory(
    FOLDER, **FLOW
)
plain = ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW)
tell(same=bool((next(it)[0] == next(plain)[0] * half).all()), workers=workers())
