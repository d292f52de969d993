"""Nothing of the library is left behind by any test module: a pytest plugin.

Looked for: child processes, threads, memory that is shared with workers, and descriptors of the kinds
that the library opens. A module in which a test failed is not looked at: its traceback keeps things.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from imageloom._executors.program import end_idle_workers

_SHARED_MEMORY = Path("/dev/shm")
_DESCRIPTORS = Path("/proc/self/fd")
_MAPPINGS = Path("/proc/self/maps")
_ATTEMPTS = 30


@pytest.fixture(autouse=True, scope="session")
def nothing_left_after_the_session(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compares the end of the test run with its start."""
    yield from _compare(request)


@pytest.fixture(autouse=True, scope="module")
def nothing_left_after_the_module(
    request: pytest.FixtureRequest, nothing_left_after_the_session: None
) -> Iterator[None]:
    """Compares the end of each test module with its start."""
    yield from _compare(request)


def _compare(request: pytest.FixtureRequest) -> Iterator[None]:
    before = _held()
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed != failed:
        return
    pause = threading.Event()
    for _ in range(_ATTEMPTS):
        end_idle_workers()  # they linger on purpose
        left = _left_behind(before)
        if not left:
            return
        gc.collect()
        pause.wait(0.1)
    pytest.fail("left behind:\n" + "\n".join(left))


def _left_behind(before: Counter[str]) -> list[str]:
    more = _held() - before
    return [
        *_children(),
        *(f"thread {t.name}" for t in threading.enumerate() if t.name.startswith("imageloom")),
        *(f"{count} more of: {what}" for what, count in more.items()),
    ]


def _held() -> Counter[str]:
    """Memory and descriptors of the kinds that the library uses, and how many of each."""
    return Counter(_shared_memory()) + _descriptors()


def _children() -> list[str]:
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
        except psutil.Error:
            continue
        # The standard library's own helper stays until the interpreter ends.
        if "multiprocessing.resource_tracker" not in command:
            found.append(f"process {child.pid} ({child.status()}): {command}")
    return found


def _shared_memory() -> list[str]:
    found = []
    if _SHARED_MEMORY.is_dir():
        found += [str(p) for p in _SHARED_MEMORY.iterdir() if "imageloom" in p.name]
    if _MAPPINGS.exists():
        lines = _MAPPINGS.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [line for line in lines if "imageloom" in line and "(deleted)" in line]
    return found


def _of_fsspec() -> set[int]:
    """The sockets by which its event loop is woken: it runs until the end of the process."""
    loop = getattr(sys.modules.get("fsspec.asyn"), "loop", [None])[0]
    return set() if loop is None else {loop._ssock.fileno(), loop._csock.fileno()}


def _descriptors() -> Counter[str]:
    """How many open descriptors there are of each kind that the library opens."""
    if sys.platform != "linux":
        return Counter({"descriptors": psutil.Process().num_fds() if os.name == "posix" else 0})
    kinds: Counter[str] = Counter()
    kept = _of_fsspec()
    for entry in os.listdir(_DESCRIPTORS):
        try:
            target = os.readlink(_DESCRIPTORS / entry)
        except OSError:
            continue  # that of the listing itself
        if int(entry) not in kept and target.startswith(
            ("pipe:", "socket:", "anon_inode:[pidfd]", "/memfd:")
        ):
            kinds[target.split("[")[0] if ":[" in target else target] += 1
    if "ray" in sys.modules:  # which keeps some after its shutdown
        del kinds["socket:"]
    return kinds
