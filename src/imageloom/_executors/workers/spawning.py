"""Starts worker processes, which Ctrl-C does not reach and which end with their parent.

`multiprocessing.Process` imports the user's main module in every child, which is why scripts that
use it need a `__main__` guard. Here the child is a new interpreter that receives the module search
path and nothing else. The user's functions reach it by cloudpickle.
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
from typing import Final

__all__ = ["Waitable", "WorkerProcess"]

# What `multiprocessing.connection.wait` accepts here: connections, descriptors and process handles.
Waitable = Connection | int
_KILL_SECONDS: Final = 5.0  # how long a killed process may take to end
_BOOT: Final = (
    "import sys; from multiprocessing.connection import {connection} as C; "
    "c = C(int(sys.argv[1])); sys.path[:] = c.recv(); "
    "from imageloom._executors.workers.boot import main; main(c)"
)


class WorkerProcess:
    """One child process.

    Attributes:
        connection: The connection that tasks are sent to and results are received from.
        sentinel: An object for `multiprocessing.connection.wait` that is ready once the child has
            ended. Where the system offers nothing better, it is the connection, which ends then.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        """Starts the child, which sends `Ready` once it has imported what it needs."""
        self.connection, theirs = multiprocessing.Pipe()
        try:
            self._process = _popen(theirs, environment)
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()
        self._pidfd = -1
        self.sentinel: Waitable = self.connection
        if sys.platform == "win32":
            self.sentinel = int(self._process._handle)  # type: ignore[attr-defined]
        elif hasattr(os, "pidfd_open"):
            try:
                self._pidfd = self.sentinel = os.pidfd_open(self._process.pid)
            except OSError:  # there is no file descriptor left
                self.end(0.0)
                raise
        with suppress(OSError):  # the child has died already, as its sentinel will tell
            self.connection.send(sys.path)

    @property
    def gone(self) -> bool:
        """Whether `end` has seen the end of the child."""
        return self._process.returncode is not None

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    def hang_up(self) -> None:
        """Closes the connection; a worker that waits for a task then ends by itself."""
        self.connection.close()

    def end(self, grace: float) -> str:
        """Waits for the end of the child, kills it after `grace` seconds, and returns how it ended."""
        self.connection.close()
        try:
            code = self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            try:
                code = self._process.wait(_KILL_SECONDS)
            except subprocess.TimeoutExpired:
                return "no end although it was killed, perhaps because a file system does not answer"
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
