"""Tells Python's own modules and installed packages from the user's files, by where they lie."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import Final

__all__ = ["is_library", "is_standard", "is_users"]

_LIBRARIES: Final = ("site-packages", "dist-packages")
_STANDARD: Final = (os.path.dirname(os.__file__), os.path.join(sys.base_prefix, "DLLs"))
_EXTENSIONS: Final = "lib-dynload"
_ARCHIVE: Final = f"python{sys.version_info.major}{sys.version_info.minor}.zip"


def is_library(place: str) -> bool:
    """Whether a file or folder belongs to an installed package."""
    return any(folder in place for folder in _LIBRARIES)


def is_standard(place: str) -> bool:
    """Whether a file or folder belongs to Python itself."""
    own = place.startswith(_STANDARD) or os.path.basename(place) in (_EXTENSIONS, _ARCHIVE)
    return own and not is_library(place)


@lru_cache(maxsize=10_000)  # an iterator asks for each module that is being imported
def is_users(place: str) -> bool:
    """Whether a file or folder belongs to neither."""
    return not is_library(place) and not is_standard(place)
