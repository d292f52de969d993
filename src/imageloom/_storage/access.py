"""Access to storages: the options of fsspec, renewed credentials, and errors.

File systems keep their connections, and with them the credentials that they have begun with. So after a
`StorageError` all of them are opened again. The tasks of later batches carry the renewed `Access`, by
which workers do the same, with the options and environment variables of the program at that time.

Errors fall into two kinds. A file that does not exist raises a `MissingImageError`, and the batch may
replace that file by another one. A storage that cannot be reached, or that refuses a request, raises a
`StorageError`, because no other file would do better.
"""

from __future__ import annotations

import inspect
import os
import sys
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
    in_one_line,
)
from imageloom._locks import Lock

__all__ = [
    "Access",
    "connect",
    "has_coroutines",
    "link_below",
    "open_again",
    "present_access",
    "reads_by_opening",
    "renew",
    "renewed_access",
    "storage_errors",
    "storage_key",
    "use_access",
]


_KINDS: Final[dict[type[ImageLoomError], str]] = {
    MissingDirectoryError: "folder",
    MissingImageError: "image file",
}


class Access(NamedTuple):
    """How a process reads files by URL, for its workers.

    Attributes:
        program: identifies the process.
        renewals: how often its access was renewed so far.
        options: the options of fsspec.
        variables: the environment variables that it had changed when its access was renewed; None for
            those that it had deleted.
    """

    program: str
    renewals: int
    options: Mapping[str, Any]
    variables: Mapping[str, str | None]


class _State:
    """What this process has opened.

    Attributes:
        openings: how often all file systems were opened again.
        kinds: the classes of the file systems that are in use.
        renewals: how often the access of this program was renewed.
        renewed: its access after the last renewal; None before the first.
        followed: the renewals of other programs, which this one has followed.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.program = uuid.uuid4().hex
        self.variables = dict(os.environ)  # as the first workers will get them
        self.openings = 0
        self.kinds: set[Any] = set()
        self.renewals = 0
        self.renewed: Access | None = None
        self.followed: dict[str, int] = {}


_state: Final = _State()


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
    if not getattr(fs, "async_impl", False) or not inspect.iscoroutinefunction(own):
        return False
    below = link_below(fs)  # `dir` has coroutines that call those of the other file system
    return below is None or has_coroutines(below)


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
    """Has this process and all workers open their file systems again, if files are read by URL."""
    if "fsspec.config" not in sys.modules:
        return  # to import it now could fail as well, and hide the first error
    open_again()
    with _state.lock:
        _state.renewals += 1
        _state.renewed = _present_access()


def present_access() -> Access:
    """How this process reads files by URL, for a recipe that is made now."""
    with _state.lock:
        return _present_access()


def renewed_access() -> Access | None:
    """The access that tasks have to carry; None if no storage has failed so far.

    Once one has failed, changed options and variables count at once, without a further failure.
    """
    if _state.renewed is None:
        return None
    with _state.lock:
        present = _present_access()
        if present != _state.renewed:
            _state.renewals += 1
            _state.renewed = present._replace(renewals=_state.renewals)
        return _state.renewed


def _present_access() -> Access:
    conf = _fsspec().config.conf
    options = {key: dict(value) if isinstance(value, dict) else value for key, value in conf.items()}
    changed: dict[str, str | None] = {}
    if _state.renewals:
        now, then = dict(os.environ), _state.variables
        changed = {name: now.get(name) for name in {*now, *then} if now.get(name) != then.get(name)}
    return Access(_state.program, _state.renewals, options, changed)


def use_access(access: Access, *, only_renewed: bool = False) -> None:
    """Reads files by URL as another process does.

    If that process has renewed its access since, all file systems are opened again. With
    `only_renewed`, nothing changes otherwise.
    """
    if access.program == _state.program:
        return
    with _state.lock:
        followed = _state.followed.get(access.program, 0)
        if access.renewals < followed + only_renewed:
            return
        _state.followed[access.program] = access.renewals
        for name, value in access.variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if access.options:
            _fsspec().config.conf.update(access.options)
    if access.renewals > followed:
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
    except (ImageLoomError, MemoryError, Warning):  # a filter may make an error of a warning
        raise
    except FileNotFoundError as error:
        kind = _KINDS.get(missing, "file")
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
