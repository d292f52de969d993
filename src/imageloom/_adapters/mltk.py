"""Compatibility with MLTK, without importing it.

A model of MLTK takes a generator only if `isinstance` says that it is one of MLTK's own class, and it
asks for the samples of each class only then. `isinstance` also checks an object's `__class__`. So
there a generator returns, to the code of MLTK alone, a class that derives from MLTK's too. Nobody else
sees that class: pickle would refuse an object whose `__class__` is not its type.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from imageloom._adapters.keras import Reader, combined, reader_asking

__all__ = ["MltkSurface"]

_PACKAGE: Final = "mltk.core.preprocess.image.parallel_generator"
_NAME: Final = "ParallelImageDataGenerator"


class MltkSurface:
    """What MLTK examines before it uses a generator."""

    @property  # type: ignore[misc]  # the property of `object` is writable
    def __class__(self) -> type[Any]:
        """The object's class; for code of MLTK one that derives from MLTK's class too."""
        own: type[Any] = type(self)
        if reader_asking() is not Reader.MLTK:
            return own
        theirs: type[Any] = getattr(sys.modules.get(_PACKAGE), _NAME, own)
        # A program may have put our class in the place of theirs.
        return own if issubclass(own, theirs) else combined(own, theirs)  # type: ignore[arg-type]
