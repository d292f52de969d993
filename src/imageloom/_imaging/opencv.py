"""OpenCV, and what to do where another package has overwritten or taken away its `cv2`.

Four packages install the same folder, `cv2`: `opencv-python`, `opencv-contrib-python`, and both with
`-headless` at the end. pip does not know that they clash: the one installed last overwrites the files
of the others, and whichever is uninstalled takes away everybody's. All modules import `cv2` from here.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Final

from imageloom._errors import MissingDependencyError

__all__ = ["clash_warning", "cv2"]

_PACKAGES: Final = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)
_EXACT_SINCE: Final = 5  # its warpAffine; before, it works on positions of 1/32 pixel
_REMEDY: Final = f"""\
To mend it, remove whatever there is, then install one, which is all that imageloom needs:
    pip uninstall -y {" ".join(_PACKAGES)}
    pip install "opencv-python-headless==5.0.0.93"
Only if you open windows (cv2.imshow), put the package with windows over it, in the same version:
    pip install --no-deps "opencv-python==5.0.0.93"
"""


def _broken(what: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"OpenCV {what}. Several packages install the same folder `cv2`: they overwrite each other, "
        f"and uninstalling one of them takes it from all.\n{_REMEDY}"
    )


try:
    import cv2
except ModuleNotFoundError as error:
    raise _broken(
        "(`cv2`) is not installed" if error.name == "cv2" else f"cannot be imported ({error})"
    ) from error
except Exception as error:  # a system library is not there, or NumPy does not fit: the types vary
    raise _broken(f"cannot be imported ({type(error).__name__}: {error})") from error
if not hasattr(cv2, "warpAffine"):
    raise _broken("is not whole: the folder `cv2` holds what an uninstalled package has left")


@cache
def clash_warning() -> str | None:
    """What is wrong with an OpenCV that can be imported, in words for the user; None if nothing is."""
    version: str = getattr(cv2, "__version__", "0")
    installed = _installed(os.path.dirname(os.path.dirname(cv2.__file__)))
    names = ", ".join(" ".join(one) for one in installed)
    if int(version.partition(".")[0]) < _EXACT_SINCE:
        told = (
            f"OpenCV is version {version}, and before version 5 it rounds positions: images that are "
            "rotated, shifted or zoomed are not quite Keras' (by 0.1 grey levels in the mean, by 4 at "
            "most)."
        )
        if len(installed) > 1:
            told += f" It is what was installed last of {names}."
        return f"{told}\n{_REMEDY}"
    if len({number for _, number in installed}) > 1:
        return (
            f"Packages that overwrite each other are installed in different versions: {names}. `cv2` "
            f"is {version} now, which works until one of them is changed.\n{_REMEDY}"
        )
    return None


def _installed(folder: str) -> list[tuple[str, str]]:
    """Names and versions of the packages that share the `cv2` of a folder.

    `importlib.metadata` would say the same, but takes a worker longer to import than to look here.
    """
    pattern = re.compile(r"(opencv[_-](?:contrib[_-])?python(?:[_-]headless)?)-([^-]+)\.dist-info")
    try:
        found = sorted(filter(None, map(pattern.fullmatch, os.listdir(folder))), key=lambda m: m[0])
    except OSError:
        return []
    return [(match[1].replace("_", "-"), match[2]) for match in found]
