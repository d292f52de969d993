"""Lets one call of the operating system fail, of those that imageloom makes: SQLite is tested so.

`install` puts a function before each one of the standard library's that leads to a system call, and
before those of NumPy that allocate. A call counts if a function of the package is above it on the
stack; in a worker process, each one counts. Calls of a kind are numbered, and the one with the chosen
number fails as the system would let it fail. `with_faults_in_workers` does the same in the
worker processes.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import mmap
import os
import select
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

__all__ = ["CALLS", "ERRORS", "Fault", "install", "with_faults_in_workers", "worker_counts"]

_PACKAGE: Final = f"{os.sep}imageloom{os.sep}_"
_VARIABLE: Final = "IMAGELOOM_TEST_FAULT"
_THREAD: Final = -1  # not an errno: what Python raises if the system has no more threads
_MEMORY: Final = -2  # nor this: memory that Python cannot get
# How the calls of each kind can fail. Python itself repeats a call that a signal has interrupted.
ERRORS: Final[dict[str, tuple[int, ...]]] = {
    "affinity": (errno.EPERM,),
    "allocate": (_MEMORY,),
    "close": (errno.EIO, errno.ENOSPC),
    "dup": (errno.EMFILE,),
    "fallocate": (errno.ENOSPC, errno.EIO),
    "fork": (errno.EAGAIN, errno.ENOMEM),
    "fsync": (errno.EIO, errno.ENOSPC),
    "getcwd": (errno.ENOENT,),
    "list": (errno.EMFILE, errno.EIO, errno.ENOMEM),
    "lock": (errno.ENOLCK,),
    "memfd": (errno.EMFILE, errno.ENOSYS, errno.ENOMEM),
    "mkdir": (errno.ENOSPC, errno.EACCES),
    "mmap": (errno.ENOMEM, errno.EAGAIN),
    "open": (errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM),
    "pidfd": (errno.EMFILE, errno.ENOSYS),
    "pipe": (errno.EMFILE, errno.ENFILE),
    "poll": (errno.ENOMEM,),
    "read": (errno.EIO, errno.ENOMEM),
    "receive": (errno.ECONNRESET, errno.ENOMEM),
    "rename": (errno.ENOSPC, errno.EIO),
    "send": (errno.EPIPE, errno.ENOBUFS),
    "socketpair": (errno.EMFILE, errno.ENFILE),
    # EACCES would say that a file is not for this program: Keras then leaves it out, and so do we.
    "stat": (errno.EIO, errno.ENOMEM),
    "thread": (_THREAD,),
    "truncate": (errno.ENOSPC, errno.EFBIG),
    "unlink": (errno.EIO, errno.EACCES),
    "utime": (errno.EPERM,),
    "write": (errno.ENOSPC, errno.EIO),
}
_OF_OS: Final = {
    "affinity": ("sched_getaffinity",),
    "close": ("close",),
    "dup": ("dup",),
    "fallocate": ("posix_fallocate",),
    "fsync": ("fsync", "fdatasync"),
    "getcwd": ("getcwd",),
    "list": ("listdir", "scandir"),
    "memfd": ("memfd_create",),
    "mkdir": ("mkdir",),
    "open": ("open",),
    "pidfd": ("pidfd_open",),
    "pipe": ("pipe", "pipe2"),
    "read": ("read", "pread", "preadv", "readv"),
    "rename": ("rename", "replace"),
    "stat": ("stat", "lstat", "fstat", "statvfs", "readlink"),
    "truncate": ("truncate", "ftruncate"),
    "unlink": ("unlink", "remove"),
    "utime": ("utime",),
    "write": ("write", "pwrite"),
}
_OF_NUMPY: Final = ("empty", "empty_like", "zeros", "ones", "ascontiguousarray", "arange", "frombuffer")
_AFTERWARDS: Final = ("close",)  # the descriptor is closed, whatever the system says
# Where failures are not those of calls: reading what a fork has reported, and looking for source text.
_NOT_WATCHED: Final = ("linecache.py", "subprocess.py")
_OPEN: Final = io.open  # before anything takes its place
_PLAIN: Final = {name: getattr(os, name) for name in ("open", "write", "close")}


@dataclass(frozen=True, slots=True)
class Fault:
    """Which call is to fail, and how.

    Attributes:
        kind: one of `ERRORS`.
        number: of the call among those of its kind, from 1.
        code: an errno of `ERRORS`.
        lasting: whether all later ones of the kind fail, too.
    """

    kind: str
    number: int
    code: int
    lasting: bool = False

    def error(self, arguments: tuple[Any, ...]) -> BaseException:
        """What the call raises."""
        if self.code == _THREAD:
            return RuntimeError("can't start new thread")
        if self.code == _MEMORY:
            return MemoryError("injected")
        text = f"{os.strerror(self.code)} (injected)"
        if arguments and isinstance(arguments[0], (str, os.PathLike)):
            return OSError(self.code, text, os.fspath(arguments[0]))
        return OSError(self.code, text)


class _Calls:
    """Counts the calls while `watching`.

    Attributes:
        counts: the calls of each kind.
        fired: whether one has failed.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.fired = False
        self._fault: Fault | None = None
        self._watching = False
        self._everywhere = False
        self._note: Callable[[str], None] = lambda kind: None
        self._claim: Callable[[], bool] = lambda: True
        self._lock = threading.RLock()  # the garbage collector may close a file anywhere

    @contextmanager
    def watching(self, fault: Fault | None = None) -> Iterator[None]:
        """Counts from zero, and lets a call fail."""
        self.counts.clear()
        self.fired, self._fault = False, fault
        self._watching = True
        try:
            yield
        finally:
            self._watching = False

    def watch_all(
        self, fault: Fault | None, note: Callable[[str], None], claim: Callable[[], bool]
    ) -> None:
        """Watches this process from now on; `claim` says whether no other has had the fault."""
        self._everywhere = self._watching = True
        self._fault, self._note, self._claim = fault, note, claim

    @property
    def watches(self) -> bool:
        """Whether a call of the caller counts."""
        return self._watching and _is_of_package(everywhere=self._everywhere)

    def due(self, kind: str, arguments: tuple[Any, ...] = ()) -> BaseException | None:
        """Counts a call; what it is to raise, or None."""
        if not self.watches:
            return None
        with self._lock:
            self.counts[kind] += 1
            self._note(kind)
            fault = self._fault
            if fault is None or fault.kind != kind or self.counts[kind] < fault.number:
                return None
            if self.fired and not fault.lasting:
                return None
            if not self.fired and not self._claim():
                self._fault = None
                return None
            self.fired = True
            return fault.error(arguments)

    def check(self, kind: str, arguments: tuple[Any, ...] = ()) -> None:
        """Counts a call, and raises what it is to raise."""
        if (error := self.due(kind, arguments)) is not None:
            raise error


CALLS: Final = _Calls()


def _is_of_package(*, everywhere: bool) -> bool:
    frame = sys._getframe(1)
    found = everywhere
    while frame is not None:
        name = frame.f_code.co_filename
        if name.endswith(_NOT_WATCHED) and frame.f_code.co_name in ("_execute_child", "updatecache"):
            return False
        found = found or _PACKAGE in name
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _before(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that counts a call, and fails or does what the other does."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        error = CALLS.due(kind, arguments)
        if error is not None and kind not in _AFTERWARDS:
            raise error
        result = function(*arguments, **options)
        if error is not None:
            raise error
        return result

    return call


class _File(io.FileIO):
    """A file whose system calls are counted."""

    def read(self, size: int = -1, /) -> Any:
        CALLS.check("read")
        return super().read(size)

    def readall(self) -> Any:
        CALLS.check("read")
        return super().readall()

    def readinto(self, buffer: Any, /) -> Any:
        CALLS.check("read")
        return super().readinto(buffer)

    def write(self, content: Any, /) -> Any:
        CALLS.check("write")
        return super().write(content)

    def truncate(self, size: int | None = None, /) -> int:
        CALLS.check("truncate")
        return super().truncate(size)

    def close(self) -> None:
        error = None if self.closed else CALLS.due("close")
        super().close()
        if error is not None:
            raise error


def _open(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """As `open`, of which the system calls are counted."""
    if isinstance(file, int) or not CALLS.watches:  # what is open already needs no call
        return _OPEN(file, mode, buffering, encoding, errors, newline, closefd, opener)
    CALLS.check("open", (file,))
    raw = _File(file, mode.replace("b", "").replace("t", ""), closefd, opener)
    if buffering == 0:
        return raw
    if raw.readable() and raw.writable():
        buffered: Any = io.BufferedRandom(raw)
    else:
        buffered = io.BufferedWriter(raw) if raw.writable() else io.BufferedReader(raw)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


class _Mapping(mmap.mmap):
    def __new__(cls, *arguments: Any, **options: Any) -> _Mapping:
        CALLS.check("mmap")
        return super().__new__(cls, *arguments, **options)


def install() -> None:
    """Puts functions that count and fail before those of the standard library and of NumPy."""
    import fcntl
    from multiprocessing.connection import Connection

    import numpy as np

    for kind, names in _OF_OS.items():
        for name in names:
            if hasattr(os, name):
                setattr(os, name, _before(kind, getattr(os, name)))
    builtins.open = io.open = _open  # type: ignore[assignment]
    mmap.mmap = _Mapping  # type: ignore[misc]
    # Functions of the standard library that have taken what they call as a default.
    for method, call in (("_send", os.write), ("_recv", os.read), ("_close", os.close)):
        getattr(Connection, method).__defaults__ = (call,)
    for owner, name, kind in (
        (fcntl, "flock", "lock"),
        (socket, "socketpair", "socketpair"),
        (socket, "dup", "dup"),
        (socket.socket, "sendmsg", "send"),
        (socket.socket, "send", "send"),
        (socket.socket, "recvmsg", "receive"),
        (socket.socket, "recvmsg_into", "receive"),
        (subprocess, "_fork_exec", "fork"),
        (select, "poll", "poll"),
        (threading, "_start_new_thread", "thread"),
        (threading, "_start_joinable_thread", "thread"),  # since Python 3.13
        *((np, name, "allocate") for name in _OF_NUMPY),
    ):
        if hasattr(owner, name):
            setattr(owner, name, _before(kind, getattr(owner, name)))


@contextmanager
def with_faults_in_workers(folder: Path, fault: Fault | None) -> Iterator[None]:
    """Lets a call fail in a worker process, in the first that comes to it; all count their calls."""
    from imageloom._executors.workers import spawning

    plain = spawning._BOOT
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ[_VARIABLE] = json.dumps([str(folder), None if fault is None else asdict(fault)])
    spawning._BOOT = (  # type: ignore[misc]
        f"import sys; sys.path.insert(0, {here!r}); import failing_calls; del sys.path[0]\n"
        f"failing_calls.watch_worker()\n{plain}"
    )
    try:
        yield
    finally:
        spawning._BOOT = plain  # type: ignore[misc]
        del os.environ[_VARIABLE]


def watch_worker() -> None:
    """Counts the calls of this process, a worker, and lets one fail as the test wishes."""
    folder, described = json.loads(os.environ[_VARIABLE])
    install()
    notes = _PLAIN["open"](
        os.path.join(folder, f"calls-{os.getpid()}"), os.O_CREAT | os.O_APPEND | os.O_WRONLY
    )

    def note(kind: str) -> None:
        _PLAIN["write"](notes, f"{kind}\n".encode())

    def claim() -> bool:
        try:
            _PLAIN["close"](
                _PLAIN["open"](os.path.join(folder, "fired"), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            )
        except FileExistsError:
            return False
        return True

    CALLS.watch_all(None if described is None else Fault(**described), note, claim)


def worker_counts(folder: Path) -> Counter[str]:
    """How many calls of each kind the worker that made most of them has made."""
    counts: Counter[str] = Counter()
    for notes in folder.glob("calls-*"):
        counts |= Counter(notes.read_text(encoding="utf-8").split())
    return counts
