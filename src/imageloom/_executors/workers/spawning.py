"""Starts worker processes: clean, hidden from Ctrl-C, with a connection and a lifeline.

`multiprocessing.Process` would import the user's main module in every child, which is why scripts then
need a `__main__` guard. Here the child is an interpreter that is told where to import from and
nothing else; what the user wrote reaches it by cloudpickle.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import spawn
from multiprocessing.connection import Connection
from typing import Any, Final

__all__ = ["WorkerProcess", "worker_additions", "worker_environment"]

_THREAD_CAPS: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
# By default glibc gives every freed image back to the kernel, which hands out zeroed pages for the next
# one: measured, 1.4 of 3.4 ms per image. Up to 64 MB a worker keeps what it has.
_ALLOCATOR: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20),
}
_DYING_SECONDS: Final = 5.0  # even a killed process may take its time to go
_BOOT: Final = (
    "import sys; from multiprocessing.connection import {connection} as C; "
    "c = C(int(sys.argv[1])); sys.path[:] = c.recv(); "
    "from imageloom._executors.workers.boot import main; main(c)"
)


def worker_environment(*, disable_gpu: bool) -> dict[str, str]:
    """The environment of a worker: one thread per library, and no GPU if so wished.

    What the user has set already, but for the GPU, stays as it is.
    """
    return {**os.environ, **worker_additions(disable_gpu=disable_gpu)}


def worker_additions(*, disable_gpu: bool) -> dict[str, str]:
    """What a worker's environment has beside, or other than, this process's."""
    added = {**dict.fromkeys(_THREAD_CAPS, "1"), **_ALLOCATOR}
    added = {name: value for name, value in added.items() if name not in os.environ}
    if disable_gpu:
        added |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return added


class WorkerProcess:
    """One child process.

    Attributes:
        connection: to send tasks and receive results.
        sentinel: something `multiprocessing.connection.wait` can wait for; ready when the child is
            dead. Where the system offers nothing better it is the connection, which then ends.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        """Starts the child; it announces itself with `Ready` once it has imported what it needs."""
        self.connection, theirs = multiprocessing.Pipe()
        try:
            self._process = _popen(theirs, environment)
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()
        self._pidfd = -1
        self.sentinel: Any = self.connection
        if sys.platform == "win32":
            self.sentinel = int(self._process._handle)  # type: ignore[attr-defined]
        elif hasattr(os, "pidfd_open"):
            try:
                self._pidfd = self.sentinel = os.pidfd_open(self._process.pid)
            except OSError:  # no descriptor left for it
                self.end(0.0)
                raise
        with suppress(OSError):  # it has died already, which the sentinel tells
            self.connection.send(sys.path)

    @property
    def gone(self) -> bool:
        """Whether the child has ended, as far as `end` has seen."""
        return self._process.returncode is not None

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    def hang_up(self) -> None:
        """Closes the connection: a worker that waits for a task ends by itself."""
        self.connection.close()

    def end(self, grace: float) -> str:
        """Waits for the end, kills after `grace` seconds, and says how it came."""
        self.connection.close()
        try:
            code = self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            try:
                code = self._process.wait(_DYING_SECONDS)
            except subprocess.TimeoutExpired:
                return "no end, though it was killed: it hangs in the kernel, on a file system perhaps"
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        return _in_words(code)


def _popen(connection: Connection, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    handle = connection.fileno()
    command = [os.fsdecode(spawn.get_executable()), "-c", _BOOT, str(handle)]
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})
        command[2] = _BOOT.format(connection="PipeConnection")
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            startupinfo=startup,
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
        )
    command[2] = _BOOT.format(connection="Connection")
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        pass_fds=(handle,),
        process_group=0,  # Ctrl-C in a terminal goes to the parent's group only
    )


def _in_words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
