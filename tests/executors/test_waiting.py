"""The pipe that wakes a thread."""

from __future__ import annotations

import gc
import os
import sys

import pytest

from imageloom._executors.workers.waiting import Alarm, wait


def test_it_wakes_who_waits() -> None:
    alarm = Alarm()
    assert not wait([alarm.waitable], [], 0)
    assert alarm.ring()
    assert list(wait([alarm.waitable], [], 20)) == [alarm.waitable]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no end there")
def test_a_full_pipe_wakes_too() -> None:
    alarm = Alarm()
    assert all(alarm.ring() for _ in range(100_000))


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are handles there")
def test_an_error_of_the_system_when_it_is_closed_is_printed_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alarm, heard = Alarm(), []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    os.close(alarm.waitable.fileno())  # so that to close it fails
    del alarm
    gc.collect()
    assert not heard
