"""How many workers there should be, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageloom._executors.workers import staffing
from imageloom._executors.workers.staffing import LINGER_SECONDS, Staffing


class Clock:
    """In the place of the module `time`."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(staffing, "time", made)
    return made


@pytest.mark.slow
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(1, 16)), max_size=30))
def test_there_are_as_many_as_the_channel_wants_that_wants_most(
    events: list[tuple[bool, int, int]],
) -> None:
    found, wanted, size = Staffing(3), dict[int, int](), 3
    for comes, key, workers in events:
        if comes:
            found.attach(key, workers)
            wanted[key] = workers
        else:
            found.detach(key)
            wanted.pop(key, None)
        size = max(wanted.values(), default=size)
        assert found.size == size


def test_a_limit_of_the_system_holds_for_all_channels() -> None:
    found = Staffing(2)
    found.limit(1)
    found.attach(0, 8)
    assert found.size == 1


def test_all_end_after_a_while_without_channels(clock: Clock) -> None:
    asked = []

    def may_end() -> bool:
        asked.append(clock.now)
        return True

    found = Staffing(2)
    found.attach(0, 2)
    assert found.seconds_to_wait(2) is None
    found.detach(0)
    found.linger(may_end)
    assert found.seconds_to_wait(2) == LINGER_SECONDS
    clock.now += LINGER_SECONDS - 1
    assert not found.is_over()
    assert asked == []
    clock.now += 1
    assert found.is_over()
    assert len(asked) == 1


def test_a_channel_that_comes_in_time_keeps_the_workers(clock: Clock) -> None:
    found = Staffing(2)
    found.linger(lambda: True)
    clock.now += LINGER_SECONDS - 1
    found.attach(1, 2)
    clock.now += 2 * LINGER_SECONDS
    assert not found.is_over()
    assert found.unneeded(2) == 0


def test_who_is_told_that_a_channel_comes_asks_again_soon(clock: Clock) -> None:
    found = Staffing(2)
    found.linger(lambda: False)
    clock.now += LINGER_SECONDS
    assert not found.is_over()
    seconds = found.seconds_to_wait(2)
    assert seconds is not None
    assert 0 < seconds < 1


def test_workers_that_only_a_closed_channel_wanted_end_after_a_while(clock: Clock) -> None:
    found = Staffing(1)
    found.attach(0, 8)
    found.attach(1, 2)
    found.detach(0)
    assert found.unneeded(8) == 0
    clock.now += LINGER_SECONDS
    assert found.unneeded(8) == 6
    assert found.unneeded(2) == 0
