"""The ends of a connection between the program and a worker: whole messages, and no waiting."""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Final

import pytest
from executor_support import wait_for

from imageloom._executors.workers.message_pipe import MessagePipe
from imageloom._executors.workers.message_socket import MessageSocket, pair_of_sockets
from imageloom._executors.workers.waiting import wait

LARGE: Final = "x" * 3_000_000  # more than any connection takes at once
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="sockets as in POSIX")
Ends = tuple[Any, Any]


def two_sockets() -> Ends:
    ours, theirs = pair_of_sockets()
    return ours, MessageSocket.over(theirs)


def two_pipes() -> Ends:
    ours, theirs = Pipe()
    return MessagePipe(ours), MessagePipe.over(theirs)


@pytest.fixture(params=[pytest.param(two_sockets, marks=posix_only), two_pipes])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    ours, theirs = request.param()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def sockets() -> Iterator[tuple[MessageSocket, MessageSocket]]:
    ours, theirs = two_sockets()
    yield ours, theirs
    ours.close()
    theirs.close()


def received(end: Any, count: int, other: Any) -> list[Any]:
    """So many messages, without ever waiting for one."""
    found: list[Any] = []

    def all_there() -> bool:
        other.flush()
        end.flush()
        found.extend(map(pickle.loads, end.receive()))
        return len(found) >= count

    wait_for(all_there, f"{count} messages")
    return found


def test_messages_arrive_whole_and_in_order(ends: Ends) -> None:
    ours, theirs = ends
    sent = [1, LARGE, "", [LARGE, None], 2]
    for message in sent:
        ours.send(message)
    assert received(theirs, len(sent), ours) == sent
    theirs.send("back")
    assert received(ours, 1, theirs) == ["back"]


def test_two_large_messages_cross(ends: Ends) -> None:
    ours, theirs = ends
    ours.send(["ours", LARGE])
    theirs.send(["theirs", LARGE])
    assert received(theirs, 1, ours) == [["ours", LARGE]]
    assert received(ours, 1, theirs) == [["theirs", LARGE]]


def test_a_worker_that_waits_sends_meanwhile(ends: Ends) -> None:
    ours, theirs = ends
    theirs.send(["theirs", LARGE])
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(theirs.next_message()))
    waiting.start()
    ours.send(["ours", LARGE])
    found: list[Any] = []

    def exchanged() -> bool:
        ours.flush()
        found.extend(map(pickle.loads, ours.receive()))
        return bool(found and answers)

    wait_for(exchanged, "both messages")
    waiting.join(20)
    assert (found, answers) == ([["theirs", LARGE]], [["ours", LARGE]])


def test_the_end_comes_after_the_messages(ends: Ends) -> None:
    ours, theirs = ends
    ours.send("last")
    wait_for(lambda: wait([theirs.waitable], [], 0), "the message")
    ours.hang_up()
    assert [pickle.loads(one) for one in theirs.receive()] == ["last"]
    with pytest.raises((EOFError, OSError)):
        received(theirs, 1, theirs)


def test_what_cannot_be_pickled_sends_nothing(ends: Ends) -> None:
    ours, theirs = ends
    with pytest.raises(Exception, match="pickle"):
        ours.send(threading.Lock())
    ours.send("next")
    assert received(theirs, 1, ours) == ["next"]


def test_sending_to_one_who_is_gone_is_an_error(ends: Ends) -> None:
    ours, theirs = ends
    theirs.close()

    def refused() -> bool:
        try:
            ours.send(LARGE)
        except OSError:
            return True
        return False

    wait_for(refused, "the error")


@posix_only
def test_a_message_that_stops_in_the_middle_is_not_waited_for(
    sockets: tuple[MessageSocket, MessageSocket],
) -> None:
    ours, theirs = sockets
    ours.send(LARGE)
    assert ours.unsent
    for _ in range(3):
        assert theirs.receive() == []
    assert theirs.poll() is None
    assert received(theirs, 1, ours) == [LARGE]
    assert not ours.unsent


@posix_only
def test_what_is_sent_before_goes_before_the_next_message_is_taken(
    sockets: tuple[MessageSocket, MessageSocket],
) -> None:
    """Otherwise a finished batch would wait until the next one is computed."""
    ours, theirs = sockets
    theirs.send(LARGE)
    ours.send("task")
    assert theirs.poll() is None
    assert received(ours, 1, theirs) == [LARGE]
    assert pickle.loads(theirs.poll() or b"") == "task"


@posix_only
def test_messages_of_more_than_two_gigabytes_have_a_long_length(
    sockets: tuple[MessageSocket, MessageSocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imageloom._executors.workers.message_socket._LONGEST_SHORT", 100)
    ours, theirs = sockets
    for message in ("short", LARGE, "short again"):
        ours.send(message)
    assert received(theirs, 3, ours) == ["short", LARGE, "short again"]


@posix_only
def test_a_worker_reads_the_first_message_with_the_standard_library() -> None:
    ours, theirs = pair_of_sockets()
    with theirs:
        ours.send({"home": "here"})
        ours.send("for later")
        assert theirs.recv() == {"home": "here"}
        end = MessageSocket.over(theirs)
        assert end.next_message() == "for later"
        end.close()
    ours.close()


def content_of(descriptor: int) -> str:
    with open(descriptor) as file:
        file.seek(0)
        return file.read()


@posix_only
@pytest.mark.parametrize("full", [False, True])
def test_a_descriptor_is_the_one_that_was_meant(
    sockets: tuple[MessageSocket, MessageSocket], tmp_path: Path, *, full: bool
) -> None:
    """Its owner closes it before there is room, and another file gets its number."""
    ours, theirs = sockets
    (tmp_path / "meant").write_text("meant")
    (tmp_path / "other").write_text("other")
    if full:
        ours.send(LARGE)
    meant = os.open(tmp_path / "meant", os.O_RDONLY)
    ours.send("with a file", [meant])
    os.close(meant)
    other = os.open(tmp_path / "other", os.O_RDONLY)
    try:
        assert other == meant
        assert received(theirs, 1 + full, ours)[-1] == "with a file"
        assert content_of(theirs.take_descriptor()) == "meant"
        with pytest.raises(OSError, match="open files"):
            theirs.take_descriptor()
    finally:
        os.close(other)


@posix_only
@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are listed in /proc")
@pytest.mark.parametrize("end", [MessageSocket.close, MessageSocket.hang_up])
def test_an_end_leaves_no_descriptor(tmp_path: Path, end: Callable[[MessageSocket], None]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    ours, theirs = two_sockets()
    file = os.open(tmp_path, os.O_RDONLY)
    ours.send("arrives", [file])
    ours.send(LARGE)
    ours.send("stays here", [file])
    theirs.receive()
    os.close(file)
    end(ours)
    end(theirs)
    assert len(os.listdir("/proc/self/fd")) == before


@posix_only
def test_hanging_up_ends_the_connection_though_a_child_has_a_copy() -> None:
    ours, theirs = two_sockets()
    inherited = socket.socket(fileno=os.dup(ours.waitable.fileno()))
    ours.hang_up()
    with pytest.raises(EOFError):
        theirs.next_message()
    inherited.close()
    theirs.close()


@posix_only
def test_a_child_that_closes_its_copy_does_not_end_the_connection() -> None:
    ours, theirs = two_sockets()
    copy = MessageSocket(socket.socket(fileno=os.dup(ours.waitable.fileno())))
    copy.close()
    theirs.send("still here")
    assert received(ours, 1, theirs) == ["still here"]
    ours.close()
    theirs.close()
