"""The main job, as in a user's script: read and transform images in the background.

Usage::

    python -I tools/main_job.py

`make test-dist` runs it in an environment with only the wheel installed. On purpose there is no
`__main__` guard, and a hook is a lambda: both must work with worker processes. The exit status is 0
if all checks pass.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

import imageloom
from imageloom import ImageDataGenerator

CLASSES = ("dark", "light")
EACH = 10
FOREIGN = ("jax", "keras", "pandas", "scipy", "tensorflow", "tf_keras", "torch")


def check(holds: object, what: str) -> None:
    """Like `assert`, which `python -O` would skip."""
    if not holds:
        sys.exit(f"main job: {what}")


def command(*arguments: str) -> str:
    """Return the output of the installed command."""
    program = Path(sysconfig.get_path("scripts"), "imageloom")
    done = subprocess.run(
        [program, *arguments], check=True, capture_output=True, text=True, timeout=300
    )
    return done.stdout


draw = np.random.default_rng(1)
with tempfile.TemporaryDirectory() as place:
    folder = Path(place, "images")
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(EACH):
            pixels = draw.integers(120 * number, 120 * number + 100, (40 + i, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.{'jpg' if i % 2 else 'png'}")

    received = {}
    for executor in ("processes", "serial"):
        generator = ImageDataGenerator(
            cores=2,
            executor=executor,
            rotation_range=20,
            width_shift_range=0.1,
            height_shift_range=0.1,
            zoom_range=0.2,
            brightness_range=(0.9, 1.1),
            horizontal_flip=True,
            preprocessing_function=lambda x: x / 2,
            validation_split=0.2,
        )
        options = {"target_size": (32, 32), "batch_size": 5, "class_mode": "sparse", "seed": 3}
        train = generator.flow_from_directory(folder, subset="training", **options)
        rest = generator.flow_from_directory(folder, subset="validation", **options)
        with train, rest:
            check((train.samples, rest.samples) == (16, 4), "the split is wrong")
            received[executor] = [next(train) for _ in range(2 * len(train))]
            x, y = next(rest)
            check(x.shape == (4, 32, 32, 3) and set(y) == {0, 1}, "the validation samples are wrong")

    for x, y in received["processes"]:
        check(x.dtype == np.float32 and x.shape == (len(y), 32, 32, 3), "a batch is malformed")
        check(x.min() >= 0 and x.max() <= 127.5, "values are out of range")
        means = x.mean(axis=(1, 2, 3))
        check(((means > 45) == (y == 1)).all(), "images do not match their classes")
    for one, other in zip(received["processes"], received["serial"], strict=True):
        check(all(map(np.array_equal, one, other)), "workers compute other values")
    check(
        not np.array_equal(received["serial"][0][0], received["serial"][4][0]), "two epochs are equal"
    )

    loaded = [name for name in FOREIGN if name in sys.modules]
    check(not loaded, f"{loaded} were imported")
    check(version("imageloom") == imageloom.__version__, "the version of the package is wrong")
    check(imageloom.__version__ in command("--version"), "the version of the command is wrong")
    check("light" in command("inspect", str(folder)), "`inspect` does not name the classes")
    sheet = Path(place, "sheet.png")
    command("preview", str(folder), "-o", str(sheet), "--rotation-range", "20")
    check(Image.open(sheet).width > 200, "`preview` draws no sheet")

print(f"imageloom {imageloom.__version__} from {Path(imageloom.__file__).parent}: the main job works")
