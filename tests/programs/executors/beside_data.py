import json
import os
import sys

if sys.flags.isolated:  # then Python has not read it
    sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)

import numpy as np
from telling import FLOW, FOLDER, SIGNALS, tell, workers

from imageloom import ImageDataGenerator
from imageloom._executors.workers import channel  # noqa: F401 - what this process needs itself


def look(x):
    import colorsys

    import beside

    flags = sys.flags
    seen = {
        "optimize": flags.optimize,
        "isolated": flags.isolated,
        "utf8": flags.utf8_mode,
        "warnings": sys.warnoptions,
        "input": sys.stdin.read(),
        "colorsys": colorsys.__file__,
        "beside": beside.NAME,
        "variable": os.environ.get("PYTHONPATH"),
        "path": sys.path,
    }
    with open(os.path.join(SIGNALS, "seen.json"), "w") as file:
        json.dump(seen, file)
    sevens = np.full_like(x, 7)
    sevens[0, 0] = 0  # one colour alone would be warned of
    return sevens


it = ImageDataGenerator(cores=1, preprocessing_function=look).flow_from_directory(FOLDER, **FLOW)
# Python itself looks here first for what a program at a prompt imports, but not for its workers.
for name in os.environ["SPOILT"].split(","):
    with open(f"{name}.py", "w") as file:
        file.write(f"open('{name} ran', 'w').close()\nraise SystemExit\n")
batch = next(it)[0]
tell(
    sevens=bool((batch[:, 1:] == 7).all()),
    workers=workers(),
    path=sys.path,
    fallback=it.report().fallback,
)
it.close()
