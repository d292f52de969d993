"""Functions of the user that read other iterators, in threads of this process, come to an end."""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from executor_support import SIZE, assert_same_batches, take, wait_for
from holding_hooks import STAYS
from numpy.typing import NDArray
from ray_support import needs_ray

from imageloom import ImageDataGenerator, ImageLoomError
from imageloom._executors import adaptive
from imageloom._executors.turns import Turn, Turns

SECONDS = 60


def within_time(function: Callable[[], Any]) -> Any:
    """What the function returns, which is a failure of the test if it takes very long."""
    outcome: Future[Any] = Future()

    def run() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome.result(SECONDS)


@pytest.fixture(params=["processes", "threads", pytest.param("ray", marks=needs_ray)])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    return str(request.param)


def flow_of(generator: ImageDataGenerator, folder: Path, **options: Any) -> Any:
    return generator.flow_from_directory(folder, SIZE, batch_size=4, seed=1, class_mode=None, **options)


def never_twice(clahe: Any) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A function that cannot be sent, and fails if two threads are in it at the same time."""
    taken = threading.Lock()

    def alone(x: NDArray[Any]) -> NDArray[Any]:
        assert taken.acquire(blocking=False), "two at the same time"
        try:
            return x + clahe.apply(x[..., 0].astype(np.uint8)).mean()
        finally:
            taken.release()

    return alone


def nested(kind: str, cores: int, folder: Path, *, read_before: bool, levels: int = 1) -> list[Any]:
    """Batches whose function reads an iterator, whose function ...; all hold one object."""
    clahe = cv2.createCLAHE()
    alone = never_twice(clahe)
    generator = ImageDataGenerator(executor=kind, cores=cores, preprocessing_function=alone)
    if kind == "threads":  # where nobody takes turns
        generator.preprocessing_function = lambda x: x + clahe.getClipLimit()
    iterators = [flow_of(generator, folder)]
    for _ in range(levels):
        if read_before:
            next(iterators[-1])  # others compute already what follows

        def reading(x: NDArray[Any], inner: Any = iterators[-1]) -> NDArray[Any]:
            return x + inner[2].mean() + clahe.getClipLimit()

        outer = ImageDataGenerator(executor=kind, cores=cores, preprocessing_function=reading)
        iterators.append(flow_of(outer, folder))
    found = take(iterators[-1], 7)
    for it in reversed(iterators):
        it.close()
    return found


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("read_before", [False, True])
def test_a_function_reads_an_iterator_with_the_same_object(
    kind: str, cores: int, read_before: bool, crops: Path
) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", STAYS)
        warnings.filterwarnings("ignore", f".*{STAYS}")
        found = within_time(lambda: nested(kind, cores, crops, read_before=read_before))
    if kind != "threads":
        assert_same_batches(found, nested("serial", 1, crops, read_before=read_before))


@pytest.mark.slow
def test_three_of_them_within_each_other(crops: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", f".*{STAYS}")
        found = within_time(lambda: nested("processes", 2, crops, read_before=True, levels=2))
    assert_same_batches(found, nested("serial", 1, crops, read_before=True, levels=2))


@pytest.mark.parametrize("cores", [1, 2])
def test_an_iterator_of_the_same_threads(cores: int, crops: Path) -> None:
    """All of the pool's threads are in the function that waits, so it computes the batch itself."""
    inside = threading.local()
    iterators: list[Any] = []

    def reading(x: NDArray[Any]) -> NDArray[Any]:
        if getattr(inside, "reads", False):
            return x
        inside.reads = True
        try:
            return x + iterators[0][1].mean()
        finally:
            inside.reads = False

    for kind in ("serial", "threads"):
        generator = ImageDataGenerator(executor=kind, cores=cores, preprocessing_function=reading)
        iterators[:] = [flow_of(generator, crops, shuffle=False), flow_of(generator, crops)]
        found = within_time(lambda: take(iterators[1], 3))
        assert len(found) == 3
        assert all(np.isfinite(batch).all() for batch in found)
        for it in iterators:
            it.close()


@pytest.mark.slow
@pytest.mark.parametrize("far", ["processes", pytest.param("ray", marks=needs_ray)])
def test_a_worker_starts_no_workers_of_its_own(
    far: str, crops: Path, request: pytest.FixtureRequest
) -> None:
    if far == "ray":
        request.getfixturevalue("ray_on_two_cpus")

    def reading(x: NDArray[Any]) -> NDArray[Any]:
        inner = ImageDataGenerator(executor="processes", cores=1)
        return x + next(flow_of(inner, crops)).mean()  # type: ignore[no-any-return]

    generator = ImageDataGenerator(executor=far, cores=1, preprocessing_function=reading)
    with flow_of(generator, crops) as it, pytest.raises(ImageLoomError, match=r"executor=.threads"):
        within_time(lambda: next(it))


@pytest.mark.adaptive
@pytest.mark.usefixtures("busy_program")
@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("readers", [1, 2, 4])
@pytest.mark.parametrize("who", ["readers", "threads", "both"])
def test_two_iterators_that_stay_one_of_which_is_read_by_the_others_function_and_by_the_program(
    who: str, readers: int, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lock keeps their functions apart, whoever computes them, and nobody waits in a circle."""
    seconds = {"readers": (0.5, 1000.0), "threads": (0.0, 0.0), "both": (0.02, 0.0)}[who]
    monkeypatch.setattr(adaptive, "_START_SECONDS", seconds[0])
    monkeypatch.setattr(adaptive, "_PASSING_SECONDS", seconds[1])
    clahe, calls = cv2.createCLAHE(), itertools.count()
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 3)).astype(np.float32)

    def reading(x: NDArray[Any]) -> NDArray[Any]:
        return x + inner[next(calls) % len(inner)].mean() + clahe.getClipLimit()

    inner, outer = (
        ImageDataGenerator(cores=cores, preprocessing_function=function).flow(
            images, batch_size=4, seed=1
        )
        for function in (never_twice(clahe), reading)
    )

    def read(*iterators: Any) -> None:
        for it in iterators * 15:
            next(it)

    turns = [(outer, inner)] if readers == 1 else [(outer,), (inner,)] * (readers // 2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", f".*{STAYS}")
        with ThreadPoolExecutor(readers) as pool:
            ends = [pool.submit(read, *each) for each in turns]
            done, late = wait(ends, SECONDS)
            if late:
                inner.close()  # which ends what waits, so that the pool ends
                outer.close()
        assert not late, "they wait for one another"
        for end in done:
            end.result()
    inner.close()
    outer.close()


@pytest.mark.parametrize("access", ["next", "position"])
def test_a_serial_iterator_that_draws_is_read_by_a_function_that_draws_and_by_the_program(
    access: str,
) -> None:
    """The program waits for the functions in threads, but holds nothing that these wait for."""
    images = np.zeros((40, 8, 8, 3), np.float32)

    def draws(x: NDArray[Any]) -> NDArray[Any]:
        return x + np.float32(np.random.rand())

    def reading(x: NDArray[Any]) -> NDArray[Any]:
        return draws(x) + inner[3].mean()

    inner = ImageDataGenerator(executor="serial", preprocessing_function=draws).flow(
        images, batch_size=4, seed=1
    )
    generator = ImageDataGenerator(executor="threads", cores=2, preprocessing_function=reading)
    outer = generator.flow(images, batch_size=4, seed=1)

    def read() -> None:
        for position in range(40):
            next(outer)
            if access == "next":
                next(inner)
            else:
                inner[position % len(inner)]

    with inner, outer:
        within_time(read)


# The lock


@pytest.fixture
def turns() -> Iterator[Turns]:
    lock = Turns()
    yield lock
    within_time(lambda: Turn(lock).__enter__())  # nobody has kept it


def test_a_thread_may_take_it_again(turns: Turns) -> None:
    one, other = Turn(turns), Turn(turns)

    def both() -> None:
        with one, other, one:
            pass

    within_time(both)


def test_it_is_lent_to_one_only(turns: Turns) -> None:
    outer, inner = Turn(turns), Turn(turns)
    done: list[str] = []

    def take_as(turn: Turn, name: str) -> threading.Thread:
        def work() -> None:
            with turn:
                done.append(name)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    with outer:
        waiting = take_as(outer, "outer")  # another call of the same function
        lent = take_as(inner, "inner")
        assert done == []
        with turns.lent_to(inner) as lends:
            assert lends
            lent.join(SECONDS)
            assert done == ["inner"]
            with inner:
                assert waiting.is_alive()
        assert done == ["inner"], "it is back"
    waiting.join(SECONDS)
    assert done == ["inner", "outer"]


def test_who_does_not_hold_it_lends_nothing(turns: Turns) -> None:
    with turns.lent_to(Turn(turns)) as lends:
        assert not lends


def test_it_comes_back_when_the_borrower_has_finished(turns: Turns) -> None:
    outer, inner = Turn(turns), Turn(turns)
    borrowed, finish = threading.Event(), threading.Event()
    order: list[str] = []

    def borrow() -> None:
        with inner:
            borrowed.set()
            finish.wait(SECONDS)
            order.append("inner ends")

    def lend() -> None:
        with outer:
            threading.Thread(target=borrow, daemon=True).start()
            with turns.lent_to(inner):
                assert borrowed.wait(SECONDS)
            order.append("outer goes on")

    thread = threading.Thread(target=lend, daemon=True)
    thread.start()
    assert borrowed.wait(SECONDS)
    assert order == []
    finish.set()
    wait_for(lambda: len(order) == 2, "both")
    assert order == ["inner ends", "outer goes on"]
    thread.join(SECONDS)
