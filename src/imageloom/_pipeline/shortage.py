"""What is raised where memory is short, which is nobody's fault among the files.

Python, OpenCV and the system have an error each for it. That a file needs little enough memory was
checked before it was decoded; so such an error condemns no file, and says what to change. Functions of
the user keep their errors, as everywhere, with a note.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from imageloom._addresses import notes_of
from imageloom._errors import LESS_MEMORY, BatchMemoryError

__all__ = ["NOTE", "lacks_memory", "memory_told", "no_memory"]

NOTE: Final = f"imageloom: memory was refused. {LESS_MEMORY}"
_OPENCV_NO_MEMORY: Final = -4  # cv::Error::StsNoMem


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that memory was refused."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if type(error).__module__ == "cv2" and getattr(error, "code", None) == _OPENCV_NO_MEMORY:
        return True
    return isinstance(error, MemoryError)


def no_memory(error: BaseException) -> BatchMemoryError:
    """The error that says which arguments take less memory; one that says so already stays."""
    if isinstance(error, BatchMemoryError):
        return error
    said = str(error) or type(error).__name__
    told = BatchMemoryError(f"There is not enough memory to compute a batch ({said}). {LESS_MEMORY}")
    for note in notes_of(error):
        told.add_note(note)
    return told


@contextmanager
def memory_told() -> Iterator[None]:
    """Raises a BatchMemoryError where memory is short."""
    try:
        yield
    except BatchMemoryError:
        raise
    except Exception as error:
        if not lacks_memory(error):
            raise
        raise no_memory(error) from error
