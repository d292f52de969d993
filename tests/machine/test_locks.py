"""Locks that a forked child finds free, and that no room makes in another way."""

from __future__ import annotations

import copy
import os
import pickle
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import imageloom
from imageloom._executors.base import TaskQueue
from imageloom._executors.turns import Turn, Turns
from imageloom._locks import Lock, forks

PACKAGE = Path(imageloom.__file__).parent
# Each of these makes its condition anew in a forked child. A lock of the user's travels as a new one.
EXCEPTIONS = {"_locks.py", "_executors/base.py", "_executors/turns.py", "_executors/kinds.py"}
MADE = re.compile(r"threading\.(?:Lock|RLock|Condition|Semaphore|BoundedSemaphore|Barrier)\(")
posix_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def held_by_another_thread(take: Callable[[], object]) -> Callable[[], None]:
    """Holds something in another thread until the result is called."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        take()
        taken.set()
        done.wait(20)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert taken.wait(20)

    def let_go() -> None:
        done.set()
        thread.join(20)

    return let_go


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def in_a_child(check: Callable[[], bool]) -> bool:
    """Whether a forked child finds that something is so, and ends."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if check() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_it_is_reentrant_and_excludes_other_threads() -> None:
    lock = Lock()
    found: list[bool] = []
    with lock, lock:
        other = threading.Thread(target=lambda: found.append(lock.acquire(blocking=False)))
        other.start()
        other.join(20)
    assert found == [False]
    assert lock.acquire(timeout=1)
    lock.release()
    with pytest.raises(RuntimeError):
        lock.release()


@pytest.mark.parametrize("made", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_is_another_lock_that_is_free(made: Callable[[Lock], Lock]) -> None:
    lock = Lock()
    with lock:
        other = made(lock)
        let_go = held_by_another_thread(other.acquire)
    assert not other.acquire(blocking=False)
    let_go()


@posix_only
def test_a_child_finds_free_what_another_thread_holds() -> None:
    lock = Lock()
    let_go = held_by_another_thread(lock.acquire)
    assert in_a_child(lambda: lock.acquire(blocking=False))
    assert not lock.acquire(blocking=False), "the parent's thread still holds it"
    let_go()


@posix_only
def test_a_child_gives_back_what_the_thread_that_forks_holds() -> None:
    lock = Lock()

    def check() -> bool:
        lock.release()
        lock.release()
        try:
            lock.release()
        except RuntimeError:
            return True
        return False

    with lock, lock:
        assert in_a_child(check)


@posix_only
def test_a_child_has_its_turn_though_a_lost_thread_had_it() -> None:
    turns = Turns()
    mine, theirs = Turn(turns), Turn(turns)
    let_go = held_by_another_thread(theirs.__enter__)

    def check() -> bool:
        with mine, theirs:
            return True

    assert in_a_child(check)
    let_go()


@posix_only
def test_a_child_keeps_the_turn_of_the_thread_that_forks() -> None:
    turns = Turns()
    turn = Turn(turns)
    with turn:
        assert in_a_child(lambda: turns._depth == 1 and turn.__exit__(None, None, None) is None)


@posix_only
def test_the_queue_of_a_child_is_closed() -> None:
    queue: TaskQueue[object] = TaskQueue()
    let_go = held_by_another_thread(queue._changed.acquire)
    assert in_a_child(lambda: queue.take(wait=True) is None)
    let_go()


@posix_only
def test_forks_are_counted_before_the_child_is_there() -> None:
    before = forks()
    assert in_a_child(lambda: forks() == before + 1)
    assert forks() == before + 1


# The server of `imageloom browse` is the whole program, and forks nothing that goes on.
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "browsing")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_module_makes_a_lock_that_a_child_would_wait_for(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() not in EXCEPTIONS:
        assert not MADE.findall(path.read_text("utf-8"))
