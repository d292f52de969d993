"""What is raised where memory is short, which is nobody's fault among the files.

Python, OpenCV and the system have an error each for it. That a file needs little enough memory was
checked before it was decoded; so such an error condemns no file, and says what to change. Functions of
the user keep their errors, as everywhere, with a note.
"""

from __future__ import annotations

import errno
from contextlib import ContextDecorator
from types import TracebackType
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


class _Told(ContextDecorator):
    """What `memory_told` returns; a generator would take ten times as long, several times a batch."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told = isinstance(error, BatchMemoryError) or not isinstance(error, Exception)
        if error is not None and not told and lacks_memory(error):
            raise no_memory(error) from error


_TOLD: Final = _Told()


def memory_told() -> _Told:
    """A block, or a decorator, that raises a BatchMemoryError where memory is short."""
    return _TOLD
