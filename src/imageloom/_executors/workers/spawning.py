"""Starts worker processes, which Ctrl-C does not reach and which end with their parent.

`multiprocessing.Process` imports the user's main module in every child, which is why scripts that
use it need a `__main__` guard. Here the child is a new interpreter that imports nothing of the user's
(see `birth`). The user's functions reach it by cloudpickle.

Two connections lead to the child: one for messages (see `line`), and one that carries none. Its end,
which the operating system closes however this process ends, ends the child (see `lifeline`).
Standard input is empty, so that nothing in the child waits for it.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from typing import Final

from imageloom._executors.workers.birth import interpreter_command, newborn, without_search_path
from imageloom._executors.workers.line import pair_of_lines
from imageloom._executors.workers.waiting import Waitable
from imageloom._storage.refusals import close_quietly

__all__ = ["WorkerProcess"]

_KILL_SECONDS: Final = 5.0  # how long a killed process may take to end
# These mean that the next worker could not be started either, unlike a system call that is missing or
# forbidden.
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
# The package is loaded from where this process has it. No other place needs to be searched for that.
# What is imported does not become garbage, so nobody has to look for that meanwhile (see `boot`).
_BOOT: Final = """\
import gc, sys
gc.disable()
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from multiprocessing.connection import {connection} as Connection
connection = Connection(int(sys.argv[1]))
lifeline = Connection(int(sys.argv[2]), writable=False)
birth = connection.recv()
spec = PathFinder.find_spec("imageloom", [birth["home"]])
sys.modules["imageloom"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["imageloom"])
from imageloom._executors.workers.boot import main
main(connection, lifeline, birth)
"""


class WorkerProcess:
    """One child process.

    Attributes:
        line: The connection that tasks are sent to and results are received from.
        sentinel: What `waiting.wait` finds ready once the child has ended. Where the system offers
            nothing better, it is that of the connection, which ends then.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        """Starts the child, which sends `Ready` once it has imported what it needs."""
        birth = newborn(environment)
        with ExitStack() as theirs, ExitStack() as ours:
            self.line, connection = pair_of_lines()
            theirs.callback(close_quietly, connection)
            ours.callback(close_quietly, self.line)
            lifeline, self._lifeline = multiprocessing.Pipe(duplex=False)
            theirs.callback(close_quietly, lifeline)
            ours.callback(close_quietly, self._lifeline)
            self._process = _popen(connection, lifeline, without_search_path(environment))
            ours.pop_all()
        self._pidfd = -1
        self.sentinel: Waitable = self.line.waitable
        if sys.platform == "win32":
            self.sentinel = int(self._process._handle)  # type: ignore[attr-defined]
        elif hasattr(os, "pidfd_open"):
            try:
                self._pidfd = self.sentinel = os.pidfd_open(self._process.pid)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self.end(0.0)
                    raise
        try:
            self.line.send(birth)
        except OSError:  # it has died already, or would wait for ever; its sentinel will tell
            self._process.kill()

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
        self.line.hang_up()

    def end(self, grace: float) -> str:
        """Waits for the end of the child, kills it after `grace` seconds, and returns how it ended."""
        self.line.hang_up()
        try:
            return _in_words(self._wait(grace))
        except subprocess.TimeoutExpired:
            return "no end although it was killed, perhaps because a file system does not answer"
        finally:  # nobody asks for this worker again, ended or not
            self._close_descriptors()

    def in_forked_child(self) -> None:
        """Closes what a forked child has inherited, which would keep the worker from its end."""
        close_quietly(self.line)
        self._close_descriptors()

    def _wait(self, grace: float) -> int:
        try:
            return self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(_KILL_SECONDS)

    def _close_descriptors(self) -> None:
        close_quietly(self._lifeline)
        if self._pidfd >= 0:
            with suppress(OSError):
                os.close(self._pidfd)
            self._pidfd = -1


def _popen(
    connection: Connection, lifeline: Connection, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    kind = "PipeConnection" if sys.platform == "win32" else "Connection"
    handles = (connection.fileno(), lifeline.fileno())
    command = [*interpreter_command(), "-c", _BOOT.format(connection=kind), *map(str, handles)]
    if sys.platform == "win32":
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": list(handles)})
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            startupinfo=startup,
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
        )
    else:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            pass_fds=handles,
            process_group=0,  # Ctrl-C in a terminal goes to the parent's group only
        )
    assert process.stdin is not None
    close_quietly(process.stdin)  # like the null device, which some containers do not have
    return process


def _in_words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
