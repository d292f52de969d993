"""Whatever the order of steps, the dispatcher and its workers never wait for one another for ever.

The first test goes through all orders of so many steps from a state in which much is under way. The
second one takes long random ways. After each step, or each way, everyone goes on by turns: then every
batch that was submitted has to end, as the batch that was asked for or as an error, and no memory is
lost. The real dispatcher does this in a played world (see `protocol_world`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Final

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from protocol_world import ROOM, TIMEOUT, PlayedWorker, World, left, playing

from imageloom import BatchTimeoutError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets are played")


def step(number: int) -> Callable[[World], None]:
    return lambda world: world.alive[number].step() if number < len(world.alive) else None


def stop_or_go_on(number: int) -> Callable[[World], None]:
    def act(world: World) -> None:
        for worker in world.alive[number : number + 1]:
            worker.stopped = not worker.stopped

    return act


def kill(number: int) -> Callable[[World], None]:
    return lambda world: world.alive[number].die() if number < len(world.alive) else None


def wait(world: World) -> None:
    world.now += TIMEOUT + 1


ACTIONS: Final[Mapping[str, Callable[[World], None]]] = {
    "dispatcher": World.dispatch,
    "worker 0": step(0),
    "worker 1": step(1),
    "stop 0": stop_or_go_on(0),
    "stop 1": stop_or_go_on(1),
    "kill 0": kill(0),
    "time": wait,
    "submit": lambda world: world.submit(0),
    "close": lambda world: world.close(0),
}


def after(world: World, way: tuple[str, ...]) -> World:
    """The workers know the channel and have computed; more is submitted; then come the actions."""
    for _ in range(3):
        world.submit(0)
    world.go_on_to_the_end()
    for _ in range(4):
        world.submit(0)
    for action in way:
        ACTIONS[action](world)
    return world


def explored(workers: int, timeouts: tuple[float | None, ...], steps: int) -> int:
    """Goes through all states that are at most so many steps away; returns how many there are."""
    seen = set()
    ways: list[tuple[str, ...]] = [()]
    for _ in range(steps):
        further = []
        for way in ways:
            for action in ACTIONS:
                if action == "close" and "close" in way:
                    continue
                with playing(workers, timeouts=timeouts) as world:
                    state = after(world, (*way, action)).state
                    if state in seen:
                        continue
                    seen.add(state)
                    further.append((*way, action))
                    world.go_on_to_the_end()
                    world.check_batches()
        ways = further
    return len(seen)


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [None, TIMEOUT], ids=["no timeout", "timeout"])
@pytest.mark.parametrize(("workers", "states"), [(1, 250), (2, 700)])
def test_all_orders_of_a_few_steps(workers: int, states: int, timeout: float | None) -> None:
    assert explored(workers, (timeout,), steps=3) > states


@pytest.mark.long
@pytest.mark.parametrize("timeout", [None, TIMEOUT], ids=["no timeout", "timeout"])
@pytest.mark.parametrize(("workers", "states"), [(1, 2_500), (2, 10_000)])
def test_all_orders_of_more_steps(workers: int, states: int, timeout: float | None) -> None:
    assert explored(workers, (timeout,), steps=5) > states


def error_of(future: Future[object]) -> BaseException | None:
    return future.exception(timeout=0)


class Ways(RuleBasedStateMachine):
    """Two channels, of which one has a timeout, and three workers."""

    workers = 3

    def __init__(self) -> None:
        super().__init__()
        self.all = ExitStack()
        self.world = self.all.enter_context(playing(self.workers, timeouts=(None, TIMEOUT)))
        for channel in (0, 1, 0):
            self.world.submit(channel)
        self.world.go_on_to_the_end()
        self.disturbed = False

    @rule(channel=st.sampled_from([0, 1]))
    def submit(self, channel: int) -> None:
        if channel not in self.world.closed:
            self.world.submit(channel)

    @rule(rounds=st.integers(1, 4))
    def dispatch(self, rounds: int) -> None:
        for _ in range(rounds):
            self.world.dispatch()

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data(), steps=st.integers(1, 8))
    def work(self, data: st.DataObject, steps: int) -> None:
        worker = data.draw(st.sampled_from(self.world.alive))
        for _ in range(steps):
            worker.step()

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data())
    def stop_or_go_on(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.world.alive))
        worker.stopped = not worker.stopped
        self.disturbed = True

    @precondition(lambda self: self.world.alive)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        self.disturbed = True
        data.draw(st.sampled_from(self.world.alive)).die()

    @rule()
    def wait(self) -> None:
        wait(self.world)
        self.disturbed = True

    @rule(channel=st.sampled_from([0, 1]))
    def close(self, channel: int) -> None:
        if channel not in self.world.closed:
            self.world.close(channel)
            self.disturbed = True

    def teardown(self) -> None:
        with self.all:
            self.world.go_on_to_the_end()
            self.world.check_batches()
            errors = [error_of(future) for future in self.world.futures.values()]
            assert self.disturbed or not any(errors)


class WaysOfOneWorker(Ways):
    """With one worker, nothing that another one does wakes the dispatcher."""

    workers = 1


@pytest.mark.long
@pytest.mark.parametrize("ways", [Ways, WaysOfOneWorker])
def test_long_ways(ways: type[Ways]) -> None:
    ways.TestCase.settings = settings(max_examples=400, stateful_step_count=40)
    ways.TestCase().runTest()


# Single ways


def computing(world: World) -> PlayedWorker:
    """The only worker, which has finished a batch of the first channel and computes the next one."""
    world.submit(0)
    world.go_on_to_the_end()
    (worker,) = world.workers
    world.submit(0)
    while worker.computing is None:
        world.dispatch()
        worker.step()
    return worker


def test_two_large_messages_that_cross() -> None:
    """The worker has a large answer while the dispatcher has a large task: both go on."""
    with playing(1, timeouts=(None,)) as world:
        worker = computing(world)  # a large name, and a large answer
        world.submit(0)  # another large name, for the worker whose last batch was short
        worker.step()
        assert left(worker.line)[0] > 0, "the worker has more to send than there is room for"
        world.dispatch()
        dispatchers_line = world.dispatcher._workers[0].process.line
        assert left(dispatchers_line)[0] > 0, "so has the dispatcher"
        world.go_on_to_the_end()
        world.check_batches()
        assert all(error_of(future) is None for future in world.futures.values())


def test_a_worker_that_stops_in_the_middle_of_an_answer() -> None:
    with playing(1, timeouts=(TIMEOUT,)) as world:
        worker = computing(world)
        worker.step()
        world.dispatch()
        line = world.dispatcher._workers[0].process.line
        assert left(line)[1] > 0, "a part of the answer has arrived"
        worker.stopped = True
        for _ in range(5):
            world.dispatch()
        assert not world.futures[1].done()
        wait(world)
        world.dispatch()
        assert isinstance(error_of(world.futures[1]), BatchTimeoutError)
        assert worker.dead


def test_a_stopped_worker_that_has_to_take_a_large_task() -> None:
    with playing(1, timeouts=(TIMEOUT,)) as world:
        world.submit(0)
        world.go_on_to_the_end()
        (worker,) = world.workers
        worker.stopped = True
        world.submit(0)
        for _ in range(5):
            world.dispatch()
        assert left(world.dispatcher._workers[0].process.line)[0] > 0
        assert len(worker.end.receives.content) == ROOM
        wait(world)
        world.dispatch()
        assert isinstance(error_of(world.futures[1]), BatchTimeoutError)


def test_a_channel_that_closes_before_a_stopped_worker_has_heard_of_it() -> None:
    with playing(1, timeouts=(None, None)) as world:
        world.submit(1)
        world.go_on_to_the_end()
        (worker,) = world.workers
        worker.stopped = True
        world.submit(0)
        world.dispatch()
        assert left(world.dispatcher._workers[0].process.line)[0] > 0
        world.close(0)
        world.dispatch()
        worker.stopped = False
        world.go_on_to_the_end()
        assert error_of(world.futures[1]) is None, "it was about to be computed"
        for _ in range(20):
            world.dispatch()
            worker.step()
        assert not worker.dead
        assert set(worker.channels) == {world.channels[1].key}


def test_the_only_worker_dies_between_two_tasks() -> None:
    """Its death is found out by giving it the second one, and nothing else wakes the dispatcher."""
    with playing(1, timeouts=(None,)) as world:
        world.submit(0)
        world.go_on_to_the_end()
        (worker,) = world.workers
        for _ in range(4):
            world.submit(0)
        while not world.futures[1].done():
            worker.step()
            world.dispatch()
        assert world.dispatcher.queue
        worker.how = "exit code 1"
        worker.die()
        world.go_on_to_the_end()
        world.check_batches()
        assert all(error_of(future) is None for future in world.futures.values())


@pytest.mark.parametrize("steps", range(12))
def test_an_iterator_is_closed_whose_worker_was_killed(steps: int) -> None:
    """Its batch was to be computed alone; those of the next iterator must not wait for it."""
    with playing(1, timeouts=(None, None)) as world:
        worker = computing(world)
        worker.die()
        for _ in range(steps):
            world.dispatch()
            for other in world.alive:
                other.step()
        world.close(0)
        world.submit(1)
        world.go_on_to_the_end()
        world.check_batches()
        assert error_of(world.futures[2]) is None


def test_a_killed_workers_batch_is_queued_again_after_the_iterator_was_closed() -> None:
    with playing(1, timeouts=(None, None)) as world:
        worker = computing(world)
        world.close(0)
        worker.die()
        world.submit(1)
        world.submit(1)
        world.go_on_to_the_end()
        world.check_batches()
        assert [error_of(world.futures[position]) for position in (2, 3)] == [None, None]
