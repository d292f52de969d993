"""Changes its own state in every way, and tells what of it a function has seen."""

import json
import locale
import os
import sys
import warnings

import numpy as np
from telling import FOLDER, SIGNALS, tell

import imageloom

executor = os.environ["EXECUTOR"]
if executor == "ray":
    import ray

    ray.init("local", num_cpus=1, include_dashboard=False, object_store_memory=200 * 2**20)

from PIL import Image, ImageFile


class OwnWarning(UserWarning):
    pass


def state():
    import locale
    import os
    import sys
    import warnings

    from PIL import Image, ImageFile

    return {
        "argv": sys.argv,
        "path": [place for place in sys.path if "modules of mine" in place],
        "relative": [place for place in sys.path if not os.path.isabs(place)],
        "folder": os.getcwd(),
        "set": os.environ.get("SET_LATE"),
        "changed": os.environ.get("SET_EARLY"),
        "deleted": os.environ.get("DELETED"),
        # Without those that Pillow and Ray add when they are imported.
        "filters": [
            str(f) for f in warnings.filters if "Decompression" not in str(f) and "ray." not in str(f)
        ][:4],
        "truncated": ImageFile.LOAD_TRUNCATED_IMAGES,
        "pixels": Image.MAX_IMAGE_PIXELS,
        "locale": locale.setlocale(locale.LC_ALL),
    }


def look(x):
    seen = state()
    try:
        warnings.warn("of the program", DeprecationWarning, stacklevel=1)
        seen["raised"] = False
    except DeprecationWarning:
        seen["raised"] = True
    draft = os.path.join(SIGNALS, f"{os.getpid()}.draft")
    with open(draft, "w") as file:
        json.dump(seen, file)
    os.replace(draft, os.path.join(SIGNALS, "seen.json"))  # further batches are computed ahead
    return np.full_like(x, 7)


sys.argv[1:] = ["--epochs", "3"]
os.makedirs(os.path.join(SIGNALS, "work", "modules of mine"), exist_ok=True)
os.chdir(os.path.join(SIGNALS, "work"))
sys.path.append("modules of mine")
os.environ["SET_LATE"] = "yes"
os.environ["SET_EARLY"] = "another"
del os.environ["DELETED"]
ImageFile.LOAD_TRUNCATED_IMAGES = True
Image.MAX_IMAGE_PIXELS = 123456
locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C")
warnings.filterwarnings("error", "of the.*", DeprecationWarning)
warnings.filterwarnings("ignore", category=RuntimeWarning, module="nobody", lineno=3)
generator = imageloom.ImageDataGenerator(executor=executor, cores=1, preprocessing_function=look)
it = generator.flow_from_directory(FOLDER, (24, 24), batch_size=4, seed=11)
batch = next(it)[0]
expected = state()
expected["relative"], expected["raised"] = [], True
expected["path"] = [os.path.abspath(place) for place in expected["path"]]
with open(os.path.join(SIGNALS, "seen.json")) as file:
    seen = json.load(file)
if executor in ("serial", "threads"):
    del expected["relative"], seen["relative"], expected["path"], seen["path"]
tell(
    differs={k: (v, seen.get(k)) for k, v in expected.items() if seen.get(k) != v},
    sevens=bool((batch == 7).all()),
    fallback=it.report().fallback,
)
it.close()
