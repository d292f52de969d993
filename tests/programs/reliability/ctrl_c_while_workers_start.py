from telling import FLOW, FOLDER, tell

from imageloom import ImageDataGenerator
from imageloom._executors.workers import spawning

# Workers are held before their own code: starting takes as long as it has to.
HELD = """\
import os, threading
open(os.path.join(os.environ["SIGNALS"], "held"), "w").close()
threading.Event().wait(60)
"""
spawning._BOOT = HELD + spawning._BOOT
it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
tell()
next(it)
tell(unreachable=True)
