import os
import sys
from pathlib import Path

from comparing import same_as_serial
from memory import forget_memfd
from telling import FLOW, FOLDER, tell

from imageloom import ImageDataGenerator

forget_memfd()

it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
kept = next(it)
mappings = Path("/proc/self/maps").read_text() if sys.platform == "linux" else os.environ["TMPDIR"]
tell(there=os.environ["TMPDIR"] in mappings, names=os.listdir(os.environ["TMPDIR"]))
same_as_serial()
