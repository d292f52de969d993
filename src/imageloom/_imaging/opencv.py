"""Imports OpenCV, with an error that says what to do if its files are missing or overwritten.

Four packages install the same folder, `cv2`: `opencv-python`, `opencv-contrib-python`, and both with
`-headless` at the end. pip does not notice the conflict. The package that is installed last overwrites
the files of the others, and uninstalling one of them removes the files of all. All modules import `cv2`
from here.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Final

from imageloom._errors import MissingDependencyError

__all__ = ["HAS_MORE_DEPTHS", "clash_warning", "cv2"]

_PACKAGES: Final = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)
_EXACT_SINCE: Final = 5  # earlier versions of warpAffine round positions to 1/32 pixel
_REMEDY: Final = f"""\
To repair it, remove all of these packages, then install the one that imageloom needs:
    pip uninstall -y {" ".join(_PACKAGES)}
    pip install "opencv-python-headless==5.0.0.93"
Only if you open windows (cv2.imshow), install the package with windows over it, in the same version:
    pip install --no-deps "opencv-python==5.0.0.93"
"""


def _broken(what: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"OpenCV {what}. Several packages install the same folder `cv2`: they overwrite each other, "
        f"and uninstalling one of them removes the files of all.\n{_REMEDY}"
    )


try:
    import cv2
except ModuleNotFoundError as error:
    raise _broken(
        "(`cv2`) is not installed" if error.name == "cv2" else f"cannot be imported ({error})"
    ) from error
except Exception as error:  # a missing system library, or another NumPy: the classes vary
    raise _broken(f"cannot be imported ({type(error).__name__}: {error})") from error
if not hasattr(cv2, "warpAffine"):
    raise _broken("is incomplete: the folder `cv2` contains only remains of an uninstalled package")


def _major(version: str) -> int:
    return int(version.partition(".")[0])


# Half precision, and tables of 65,536 values.
HAS_MORE_DEPTHS: Final = _major(getattr(cv2, "__version__", "0")) >= _EXACT_SINCE


@cache
def clash_warning() -> str | None:
    """A warning for the user if the installed OpenCV is too old or mixed; None if it is all right."""
    version: str = getattr(cv2, "__version__", "0")
    installed = _installed(os.path.dirname(os.path.dirname(cv2.__file__)))
    names = ", ".join(" ".join(one) for one in installed)
    if _major(version) < _EXACT_SINCE:
        text = (
            f"OpenCV has version {version}, and versions before 5 round positions. Images that are "
            "rotated, shifted or zoomed therefore differ from Keras' (by 0.1 grey levels in the mean, "
            "by at most 4)."
        )
        if len(installed) > 1:
            text += f" This version was installed last of {names}."
        return f"{text}\n{_REMEDY}"
    if len({number for _, number in installed}) > 1:
        return (
            f"Packages that overwrite each other are installed in different versions: {names}. `cv2` "
            f"has version {version} now, which works until one of them is changed.\n{_REMEDY}"
        )
    return None


def _installed(folder: str) -> list[tuple[str, str]]:
    """The names and versions of the installed packages that share the folder `cv2`.

    Workers would need more time to import `importlib.metadata` than to read the folder's names here.
    """
    pattern = re.compile(r"(opencv[_-](?:contrib[_-])?python(?:[_-]headless)?)-([^-]+)\.dist-info")
    try:
        found = sorted(filter(None, map(pattern.fullmatch, os.listdir(folder))), key=lambda m: m[0])
    except OSError:
        return []
    return [(match[1].replace("_", "-"), match[2]) for match in found]
