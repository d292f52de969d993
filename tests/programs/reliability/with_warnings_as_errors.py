from telling import ARGUMENTS, FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

it = ImageDataGenerator(cores=2, preprocessing_function=lambda x: x / 2).flow_from_directory(
    FOLDER, **FLOW
)
batches = [next(it) for _ in range(9)]
tell(workers=workers())
exec(ARGUMENTS[0])  # a statement that lets go of the iterator, or does not
