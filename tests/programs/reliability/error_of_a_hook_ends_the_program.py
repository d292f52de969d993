from telling import FLOW, FOLDER, tell

from imageloom import ImageDataGenerator


def faulty(x):
    raise LookupError("in the hook")


it = ImageDataGenerator(cores=1, preprocessing_function=faulty).flow_from_directory(FOLDER, **FLOW)
tell()
next(it)
