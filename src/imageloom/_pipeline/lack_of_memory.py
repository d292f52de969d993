"""Tells errors that come from a lack of memory from those that come from a file or a function.

Python, OpenCV and the system have one each. A file is never the reason: that it needs little enough has
been checked before it was decoded. So such an error condemns no file; it says what to change.
"""

from __future__ import annotations

import errno
from typing import Final

from imageloom._errors import LESS_MEMORY, BatchMemoryError

__all__ = ["about_memory", "lacks_memory", "memory_error"]

_OPENCV_NO_MEMORY: Final = -4  # cv::Error::StsNoMem


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that memory was refused."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if type(error).__module__ == "cv2" and getattr(error, "code", None) == _OPENCV_NO_MEMORY:
        return True
    return isinstance(error, MemoryError)


def about_memory() -> str:
    """A note for the error of a user's function, which keeps its type."""
    return f"imageloom: memory was refused. {LESS_MEMORY}"


def memory_error(error: BaseException) -> BatchMemoryError:
    """The error of this library for one of another library."""
    said = str(error) or type(error).__name__
    return BatchMemoryError(f"There is not enough memory for a batch ({said}). {LESS_MEMORY}")
