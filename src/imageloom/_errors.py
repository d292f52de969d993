"""The errors that imageloom raises.

Each class derives from `ImageLoomError` and from the built-in class that users of Keras catch::

    ImageLoomError
    ├── InvalidArgumentError        ValueError             an argument has a value that cannot work
    ├── ArgumentTypeError           TypeError              an argument has the wrong type
    ├── MissingColumnError          KeyError, ValueError   a data frame has no such column
    ├── BatchIndexError             ValueError, IndexError `it[i]` beyond the number of batches
    ├── BatchShapeError             ValueError             an image does not have the batch's shape
    ├── MissingDependencyError      ImportError            an option needs a package that is missing
    ├── BadImageError               OSError                a file could not be read as an image
    │   ├── BadSamplesError                                several files of a batch could not be read
    │   ├── UnidentifiedImageError  (also PIL's)           an unknown format; see `_imaging.opening`
    │   ├── DecompressionBombError  (also PIL's)           too many pixels for Pillow's setting
    │   └── MissingImageError       FileNotFoundError      an image file does not exist
    ├── MissingDirectoryError       FileNotFoundError      a folder does not exist
    ├── MissingFileError            FileNotFoundError      a file that an argument names is missing
    ├── BatchMemoryError            OSError, MemoryError   memory could not be allocated
    ├── StorageError                OSError                a storage failed, or a call of the system
    ├── StateMismatchError          ValueError             a saved state does not fit
    ├── BatchTimeoutError           TimeoutError           a batch took longer than `batch_timeout`
    ├── IteratorClosedError         RuntimeError           used after `close()`, or after a fork
    ├── WorkerError                 RuntimeError           where in a worker an exception arose
    ├── WorkerDiedError             RuntimeError           the workers of a batch died repeatedly
    └── WorkerStartError            RuntimeError           workers end before they are ready

An exception that the user's own code raises in a worker keeps its type; its `__cause__` is then a
`WorkerError`. All errors can be pickled, because their arguments are plain strings and numbers.

The last note of each names its section of `docs/errors.md`. It is a note, so that `str(error)` is the
message alone, which is Keras' for many errors.
"""

from __future__ import annotations

from typing import Final

from imageloom._addresses import address_line
from imageloom._public import public

__all__ = [
    "ArgumentTypeError",
    "BadImageError",
    "BadSamplesError",
    "BatchIndexError",
    "BatchMemoryError",
    "BatchShapeError",
    "BatchTimeoutError",
    "ImageLoomError",
    "InvalidArgumentError",
    "IteratorClosedError",
    "MissingColumnError",
    "MissingDependencyError",
    "MissingDirectoryError",
    "MissingFileError",
    "MissingImageError",
    "StateMismatchError",
    "StorageError",
    "WorkerDiedError",
    "WorkerError",
    "WorkerStartError",
    "in_one_line",
    "printable",
]


_PUBLIC: Final = "imageloom"  # the module of public classes
# What to change where memory is short.
LESS_MEMORY: Final = (
    "Pass fewer `cores`, or a smaller `cache_limit`, `batch_size` or `max_batches_pending`."
)


@public
class ImageLoomError(Exception):
    """The base class of all errors of this library; a note says where each is explained."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        super().add_note(self._where)

    def add_note(self, note: str, /) -> None:
        """Adds a note before the last one."""
        super().add_note(note)
        if self._where in self.__notes__[:-1]:
            self.__notes__.remove(self._where)
            self.__notes__.append(self._where)

    @property
    def _where(self) -> str:
        """The line that names the section about the nearest public class."""
        return address_line(next(c.__name__ for c in type(self).__mro__ if c.__module__ == _PUBLIC))

    def __str__(self) -> str:
        """The message, with the control characters of file names and of other libraries escaped."""
        return printable(super().__str__())


@public
class InvalidArgumentError(ImageLoomError, ValueError):
    """An argument has a value that is not allowed."""


@public
class ArgumentTypeError(ImageLoomError, TypeError):
    """An argument has the wrong type."""


@public
class MissingColumnError(ImageLoomError, KeyError, ValueError):
    """A data frame has no column of the given name."""

    def __str__(self) -> str:
        """The message as it is, which KeyError would show in quotes."""
        return printable(str(self.args[0]))


@public
class BatchIndexError(ImageLoomError, ValueError, IndexError):
    """The index of a batch is beyond the number of batches."""


@public
class BatchShapeError(ImageLoomError, ValueError):
    """An image does not have the shape that the batch needs."""


@public
class MissingDependencyError(ImageLoomError, ImportError):
    """An option needs a package that is not installed."""


@public
class BadImageError(ImageLoomError, OSError):
    """A file could not be read as an image."""


@public
class BadSamplesError(BadImageError):
    """Files of a batch could not be read; the batch is computed again with others in their place.

    Attributes:
        summary: the files and what is wrong with them, as one text.
        samples: for each such sample its index in the batch, its file, and what is wrong with it.
    """

    def __init__(self, summary: str, samples: tuple[tuple[int, str, str], ...] = ()) -> None:
        super().__init__(summary, samples)
        self.summary = summary
        self.samples = samples

    def __str__(self) -> str:
        return printable(self.summary)


@public
class MissingImageError(BadImageError, FileNotFoundError):
    """An image file does not exist."""


@public
class MissingDirectoryError(ImageLoomError, FileNotFoundError):
    """A folder to read from, or to save to, does not exist."""


@public
class MissingFileError(ImageLoomError, FileNotFoundError):
    """A file that an argument names does not exist."""


@public
class StorageError(ImageLoomError, OSError):
    """A storage cannot be reached, or refuses a request; for local files, the system refuses a call.

    It says nothing about a single image, so that no image is replaced because of it. For local files,
    `errno` is that of the system: too many open files, for example, or no space left.
    """


@public
class IteratorClosedError(ImageLoomError, RuntimeError):
    """An iterator was used after `close()`, in a forked process, or where a worker computes for one."""


@public
class BatchMemoryError(ImageLoomError, OSError, MemoryError):
    """Memory for a batch could not be allocated.

    It says nothing about a single image, so that no image is replaced because of it.
    """


@public
class StateMismatchError(ImageLoomError, ValueError):
    """A saved state belongs to another stream of batches, or to a newer version of this library."""


@public
class BatchTimeoutError(ImageLoomError, TimeoutError):
    """A batch took longer than `batch_timeout` allows."""


@public
class WorkerDiedError(ImageLoomError, RuntimeError):
    """A batch could not be computed because its workers died.

    Attributes:
        sample: the index in the batch of the sample that was computed each time a worker died; None if
            these were different samples.
        killed: whether the workers were ended from outside, as it happens when memory runs out. The
            file of the sample need not be the reason then, and it is never replaced.
    """

    sample: int | None = None
    killed: bool = False


@public
class WorkerStartError(ImageLoomError, RuntimeError):
    """Worker processes end before they are ready."""


@public
class WorkerError(ImageLoomError, RuntimeError):
    """Describes what a worker was doing when an exception arose.

    Attributes:
        summary: a sentence that names the stage, the file and the batch.
        worker_traceback: the traceback in the worker, as text.
    """

    def __init__(self, summary: str, worker_traceback: str = "") -> None:
        super().__init__(summary, worker_traceback)
        self.summary = summary
        self.worker_traceback = worker_traceback

    def __str__(self) -> str:
        whole = f"{self.summary}\n\n{self.worker_traceback}" if self.worker_traceback else self.summary
        return printable(whole)


# Texts that can be printed. A terminal obeys the control characters that are printed to it, a file's
# name may contain any of them, and whoever packs an archive chooses the names in it.


def printable(text: str, kept: str = "\n\t") -> str:
    """Escapes, as `repr` does, characters that move the cursor, change the text's direction and so on.

    Characters in `kept` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in kept else _escaped(char) for char in text)


def in_one_line(text: str) -> str:
    """The same for a name, or for a text of another library that may contain one."""
    return printable(text, kept="")


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
