import os

from telling import FLOW, FOLDER, tell

from imageloom import ImageDataGenerator

it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
# Starting takes as long as it has to.
os.environ["PYTHONSTARTUP_HELD"] = "1"
tell()
next(it)
tell(unreachable=True)
