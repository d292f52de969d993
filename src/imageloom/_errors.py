"""Every error that imageloom raises on its own account.

Each derives from `ImageLoomError` and from the built-in that Keras users already catch::

    ImageLoomError
    ├── InvalidArgumentError        ValueError             an argument has a value that cannot work
    ├── ArgumentTypeError           TypeError              an argument has the wrong type
    ├── MissingColumnError          KeyError, ValueError   a data frame has no such column
    ├── BatchIndexError             ValueError, IndexError `it[i]` beyond the length
    ├── BatchShapeError             ValueError             pixels of a hook do not fit the batch
    ├── MissingDependencyError      ImportError            an option needs an extra that is missing
    ├── BadImageError               OSError                a file could not be read as an image
    │   ├── BadSamplesError                                samples of a batch have no readable image
    │   ├── UnidentifiedImageError  (also PIL's)           no known format; defined in `images`
    │   └── MissingImageError       FileNotFoundError      the file has vanished
    ├── MissingDirectoryError       FileNotFoundError      a folder is not there
    ├── MissingFileError            FileNotFoundError      a file that an argument names is not there
    ├── BatchMemoryError            OSError                no memory for the batches under way
    ├── StorageError                OSError                a remote storage does not answer, or refuses
    ├── StateMismatchError          ValueError             a state of another stream, or a newer version
    ├── BatchTimeoutError           TimeoutError           a batch took longer than `batch_timeout`
    ├── IteratorClosedError         RuntimeError           used after `close()`, or in a forked child
    ├── WorkerError                 RuntimeError           file, stage and traceback of a worker
    ├── WorkerDiedError             RuntimeError           workers died again and again
    └── WorkerStartError            RuntimeError           workers do not start

An exception raised by the user's own hook keeps its type; a `WorkerError` is then its `__cause__`.
All of them survive pickling: their arguments are plain strings and numbers.
"""

from __future__ import annotations

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
]


@public
class ImageLoomError(Exception):
    """Base class of all errors of this library."""


@public
class InvalidArgumentError(ImageLoomError, ValueError):
    """An argument has a value that cannot work."""


@public
class ArgumentTypeError(ImageLoomError, TypeError):
    """An argument has the wrong type."""


@public
class MissingColumnError(ImageLoomError, KeyError, ValueError):
    """A data frame does not have a column that was asked for."""

    def __str__(self) -> str:
        """The sentence; KeyError would show it in quotes."""
        return str(self.args[0])


@public
class BatchIndexError(ImageLoomError, ValueError, IndexError):
    """A batch was asked for that the epoch does not have."""


@public
class BatchShapeError(ImageLoomError, ValueError):
    """Pixels came out in a shape that does not fit the batch."""


@public
class MissingDependencyError(ImageLoomError, ImportError):
    """An option needs a package that is not installed."""


@public
class BadImageError(ImageLoomError, OSError):
    """A file could not be read as an image."""


@public
class BadSamplesError(BadImageError):
    """Samples of a batch cannot be read, and are to be replaced.

    Attributes:
        samples: for each, its place in the batch, its file, and what is wrong with it.
    """

    def __init__(self, summary: str, samples: tuple[tuple[int, str, str], ...] = ()) -> None:
        super().__init__(summary, samples)
        self.summary = summary
        self.samples = samples

    def __str__(self) -> str:
        return self.summary


@public
class MissingImageError(BadImageError, FileNotFoundError):
    """An image file that was listed is no longer there."""


@public
class MissingDirectoryError(ImageLoomError, FileNotFoundError):
    """A folder that is read from or saved to does not exist."""


@public
class MissingFileError(ImageLoomError, FileNotFoundError):
    """A file that an argument names does not exist."""


@public
class StorageError(ImageLoomError, OSError):
    """A storage of remote files cannot be reached, or refuses; nothing is wrong with any image."""


@public
class IteratorClosedError(ImageLoomError, RuntimeError):
    """An iterator was used after `close()`, or in a process that does not own it."""


@public
class BatchMemoryError(ImageLoomError, OSError):
    """The memory for the batches under way is not to be had."""


@public
class StateMismatchError(ImageLoomError, ValueError):
    """A state belongs to another stream, or to a newer version of this library."""


@public
class BatchTimeoutError(ImageLoomError, TimeoutError):
    """A batch took longer than `batch_timeout` allows."""


@public
class WorkerDiedError(ImageLoomError, RuntimeError):
    """A batch could not be computed because its workers died.

    Attributes:
        sample: the sample of the batch over which they died; None if it was not always the same.
    """

    sample: int | None = None


@public
class WorkerStartError(ImageLoomError, RuntimeError):
    """Worker processes end before they are ready to work."""


@public
class WorkerError(ImageLoomError, RuntimeError):
    """What was going on in a worker when an exception left it.

    Attributes:
        summary: one sentence with file, stage and batch.
        worker_traceback: the traceback as the worker saw it.
    """

    def __init__(self, summary: str, worker_traceback: str = "") -> None:
        super().__init__(summary, worker_traceback)
        self.summary = summary
        self.worker_traceback = worker_traceback

    def __str__(self) -> str:
        return f"{self.summary}\n\n{self.worker_traceback}" if self.worker_traceback else self.summary
