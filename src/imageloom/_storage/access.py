"""Access to storages: the options of fsspec, renewed credentials, and errors.

File systems keep their connections, and with them the credentials that they have begun with. So after a
`StorageError` all of them are opened again. The tasks of later batches carry a `Renewal`, by which
workers do the same, with the options and environment variables of the program as they are now.

Errors fall into two kinds. A file that does not exist raises a `MissingImageError`, and the batch may
replace that file by another one. A storage that cannot be reached, or that refuses a request, raises a
`StorageError`, because no other file would do better.
"""

from __future__ import annotations

import inspect
import os
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from imageloom._errors import (
    BadImageError,
    ImageLoomError,
    MissingDependencyError,
    MissingDirectoryError,
    MissingImageError,
    StorageError,
)
from imageloom._text import in_one_line

__all__ = [
    "Renewal",
    "connect",
    "fsspec_options",
    "has_coroutines",
    "link_below",
    "open_again",
    "present_renewal",
    "reads_by_opening",
    "renew",
    "storage_errors",
    "storage_key",
    "use_fsspec_options",
    "use_renewal",
]


class Renewal(NamedTuple):
    """What workers have to open their file systems with again.

    Attributes:
        program: identifies the process that asks for it.
        number: counts the renewals of that process.
        options: the options of fsspec.
        variables: the environment variables that the program has changed; None for a deleted one.
    """

    program: str
    number: int
    options: Mapping[str, Any]
    variables: Mapping[str, str | None]


class _State:
    """What this process has opened.

    Attributes:
        openings: how often all file systems were opened again.
        kinds: the classes of the file systems that are in use.
        renewal: the last one of this program; None before the first.
        followed: the number of the last renewal of each other program that this one has followed.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.program = uuid.uuid4().hex
        self.variables = dict(os.environ)  # as the first workers will get them
        self.openings = 0
        self.kinds: set[Any] = set()
        self.renewal: Renewal | None = None
        self.followed: dict[str, int] = {}


_state: Final = _State()


def fsspec_options() -> dict[str, Any]:
    """The global options of fsspec in this process, for workers to use."""
    conf = _fsspec().config.conf
    return {key: dict(value) if isinstance(value, dict) else value for key, value in conf.items()}


def use_fsspec_options(options: Mapping[str, Any]) -> None:
    """Sets the global options of fsspec to those of another process."""
    if options:
        _fsspec().config.conf.update(options)


def _fsspec() -> Any:
    try:
        import fsspec
        import fsspec.config
    except ImportError as error:
        raise MissingDependencyError(
            "Reading files by URL needs fsspec, which is not installed. Install it with "
            'pip install "imageloom[remote]", and with it the package that fsspec needs for the '
            "protocol (s3fs, gcsfs, huggingface_hub, ...)."
        ) from error
    return fsspec


def connect(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it; this opens no connection.

    Raises:
        ValueError: the protocol is unknown, or the URL is none.
    """
    found: tuple[Any, str] = _fsspec().core.url_to_fs(url)
    link: Any = found[0]
    while link is not None:  # a file system may be a cache of another one
        _state.kinds.add(type(link))
        link = link_below(link)
    return found


def link_below(fs: Any) -> Any:
    """The file system that this one is a cache or a part of; None if it stands for itself."""
    return object.__getattribute__(fs, "__dict__").get("fs")  # a cache lends that of the other one


def has_coroutines(fs: Any) -> bool:
    """Whether files are fetched by coroutines; all threads use the same file system then."""
    own = getattr(type(fs), "_cat_file", None)  # a cache would lend that of the other file system
    return bool(getattr(fs, "async_impl", False)) and inspect.iscoroutinefunction(own)


def reads_by_opening(fs: Any) -> bool:
    """Whether only what is opened as a file goes through a cache of another file system.

    What else `blockcache` and `filecache` offer goes round the cache, or fails for what is in it.
    """
    cached = sys.modules.get("fsspec.implementations.cached")
    return (
        cached is not None
        and isinstance(fs, cached.CachingFileSystem)
        and not isinstance(fs, cached.SimpleCacheFileSystem)
    )


def storage_key() -> tuple[Any, ...]:
    """Changes whenever file systems have to be opened again."""
    return os.getpid(), _state.openings, repr(_fsspec().config.conf)


# Renewal


def open_again() -> None:
    """Has all file systems opened again when they are next used, with the credentials of that time."""
    with _state.lock:
        _state.openings += 1
        for kind in _state.kinds:
            kind.clear_instance_cache()


def renew() -> None:
    """Has this process and all workers open their file systems again."""
    open_again()
    with _state.lock:
        now, then = dict(os.environ), _state.variables
        changed = {name: now.get(name) for name in {*now, *then} if now.get(name) != then.get(name)}
        number = 1 if _state.renewal is None else _state.renewal.number + 1
        _state.renewal = Renewal(_state.program, number, fsspec_options(), changed)


def present_renewal() -> Renewal | None:
    """The renewal that tasks have to carry; None if no storage has failed so far."""
    return _state.renewal


def use_renewal(renewal: Renewal) -> None:
    """Opens all file systems again, if another process asks for it and this was not done yet."""
    if renewal.program == _state.program:
        return
    with _state.lock:
        if _state.followed.get(renewal.program, 0) >= renewal.number:
            return
        _state.followed[renewal.program] = renewal.number
        for name, value in renewal.variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        use_fsspec_options(renewal.options)
    open_again()


# Errors


@contextmanager
def storage_errors(url: str, missing: type[ImageLoomError] = MissingImageError) -> Iterator[None]:
    """Translates the errors of file systems into errors of this library, which name the URL.

    The original errors lose their tracebacks. Libraries of file systems often keep their errors in
    reference cycles; with a traceback, a cycle would keep the memory of the current batch alive until
    the garbage collector runs.
    """
    try:
        yield
    except (ImageLoomError, MemoryError):
        raise
    except FileNotFoundError as error:
        kind = "folder" if missing is MissingDirectoryError else "image file"
        raise missing(f"The {kind} {url!r} does not exist.") from error.with_traceback(None)
    except IsADirectoryError as error:
        raise BadImageError(f"{url!r} is a folder, not an image file.") from error
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {url!r} needs a package that is not installed: {error}"
        ) from error
    except Exception as error:  # each file system has error classes of its own
        open_again()
        raise StorageError(
            f"The storage of {url!r} cannot be reached, or refused the request: "
            f"{type(error).__name__}: {in_one_line(str(error))}"
        ) from error.with_traceback(None)
