"""Random generators that hooks refer to or share: the same numbers wherever a batch is computed."""

from __future__ import annotations

import functools
import random
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import Lent
from numpy.typing import NDArray
from ray_support import needs_ray
from recorded_warnings import recorded

from imageloom import ImageDataGenerator
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._executors.threads import ThreadExecutor
from imageloom._executors.turns import Turn, Turns

Image = NDArray[np.float32]
IMAGES = np.zeros((64, 2, 2, 1), np.uint8)  # all alike, so that only draws make a difference
GENERATOR = np.random.default_rng(0)
LEGACY = np.random.RandomState(0)
PLAIN = random.Random(0)


def of_the_module(x: Image) -> Image:
    return x + GENERATOR.normal() + LEGACY.normal() + PLAIN.random()


def default(x: Image, rng: np.random.Generator = np.random.default_rng(1)) -> Image:  # noqa: B008
    return x + rng.normal()


PHILOX = np.random.Generator(np.random.Philox(1))


def keyword(x: Image, *, rngs: Any = (PHILOX,)) -> Image:
    return x + rngs[0].normal()


def closure() -> Callable[[Image], Image]:
    rngs = {"nested": [np.random.Generator(np.random.MT19937(1))]}
    return lambda x: x + rngs["nested"][0].normal()


def bound_method_of_a_generator() -> Callable[[Image], Image]:
    draw, other = np.random.default_rng(1).normal, random.Random(1).random
    return lambda x: x + draw() + other()


def bound_methods_of_the_process() -> Callable[[Image], Image]:
    draw, other = np.random.normal, random.gauss  # as `from random import gauss` in a script
    return lambda x: x + draw() + other(0, 1)


UNNAMED = np.random.default_rng(4)


def by_its_name_as_a_text() -> Callable[[Image], Image]:
    module = sys.modules[__name__]
    return lambda x: x + getattr(module, "UNNAMED").normal()  # noqa: B009 - as it may be written


def given_first(rng: np.random.RandomState, x: Image) -> Image:
    return x + rng.normal()


class Part:
    def __init__(self) -> None:
        self.rng = np.random.RandomState(np.random.PCG64(1))


class Augmentation:
    of_the_class = np.random.default_rng(2)

    def __init__(self) -> None:
        self.parts = [Part(), Part()]

    def __call__(self, x: Image) -> Image:
        drawn = [part.rng.normal() for part in self.parts]
        assert drawn[0] != drawn[1]
        return x + sum(drawn) + self.of_the_class.normal()


class Slots:
    __slots__ = ("rng",)

    def __init__(self) -> None:
        self.rng = random.Random(1)

    def noisy(self, x: Image) -> Image:
        return x + self.rng.gauss(0, 1)


def decorated(x: Image) -> Image:
    return of_the_module(x)


def of_the_process(x: Image) -> Image:
    from numpy.random import normal

    return x + np.random.rand() + random.random() + normal()


HOOKS: dict[str, Any] = {
    "of the module": of_the_module,
    "default": default,
    "keyword": keyword,
    "closure": closure(),
    "bound": bound_method_of_a_generator(),
    "bound to those of the process": bound_methods_of_the_process(),
    "by its name as a text": by_its_name_as_a_text(),
    "partial": functools.partial(given_first, np.random.RandomState(3)),
    "object": Augmentation(),
    "slots": Slots().noisy,
    "decorated": functools.wraps(of_the_module)(functools.partial(decorated)),
    "of the process": of_the_process,
}


def batches(
    hook: Any,
    executor: Executor | None,
    *,
    seed: int | None = 5,
    argument: str = "preprocessing_function",
) -> NDArray[Any]:
    generator = ImageDataGenerator(executor="serial", **{argument: hook})
    if executor is not None:
        generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    with generator.flow(IMAGES, batch_size=4, seed=seed, shuffle=False) as it:
        return np.concatenate([next(it) for _ in range(len(it))])


def distinct(images: NDArray[Any]) -> int:
    return len({image.tobytes() for image in images})


WORKERS = [
    ("threads", 1),
    ("threads", 3),
    ("processes", 1),
    ("processes", 2),
    ("processes", 4),
    pytest.param(("ray", 2), marks=needs_ray),
]


@pytest.fixture(scope="module", params=WORKERS, ids=str)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    kind, workers = request.param
    if kind == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    made = make_executor(kind, workers, disable_gpu=True)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("hook", [h for n, h in HOOKS.items()], ids=list(HOOKS))
def test_draws_are_those_of_the_serial_executor(executor: Executor, hook: Any) -> None:
    expected = batches(hook, None)
    assert distinct(expected) == len(IMAGES)
    np.testing.assert_array_equal(batches(hook, executor), expected)
    assert not np.array_equal(batches(hook, executor, seed=6), expected)


@pytest.mark.parametrize("hook", [h for n, h in HOOKS.items()], ids=list(HOOKS))
@pytest.mark.parametrize("kind", ["serial", "threads"])
def test_generators_of_the_program_are_put_back(kind: str, hook: Any) -> None:
    states = [
        GENERATOR.bit_generator.state,
        LEGACY.get_state(legacy=False),
        PLAIN.getstate(),
        random.getstate(),
        np.random.get_state(legacy=False),
        HOOKS["object"].parts[1].rng.get_state(legacy=False),
    ]
    made = make_executor(kind, 2, disable_gpu=True)
    batches(hook, made)
    made.close()
    for thread in made._pool.threads if isinstance(made, ThreadExecutor) else ():
        thread.join(20)
    after = [
        GENERATOR.bit_generator.state,
        LEGACY.get_state(legacy=False),
        PLAIN.getstate(),
        random.getstate(),
        np.random.get_state(legacy=False),
        HOOKS["object"].parts[1].rng.get_state(legacy=False),
    ]
    np.testing.assert_equal(after, states)


def test_without_a_seed_draws_are_fresh() -> None:
    assert not np.array_equal(batches(default, None, seed=None), batches(default, None, seed=None))


def test_batch_again_and_after_a_state() -> None:
    generator = ImageDataGenerator(executor="serial", preprocessing_function=of_the_module)
    it = generator.flow(IMAGES, batch_size=4, seed=5, shuffle=False)
    next(it)
    state = it.state_dict()
    second = next(it)
    it.load_state_dict(state)
    np.testing.assert_array_equal(next(it), second)
    np.testing.assert_array_equal(it[1], second)


class Drawing(ImageDataGenerator):
    """A subclass whose methods draw from a generator of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.own = np.random.default_rng(1)

    def standardize(self, x: Any) -> Any:
        return x + self.own.normal()


@pytest.mark.slow
def test_generator_in_an_attribute_of_a_subclass(executor: Executor) -> None:
    def read(lent: Executor | None) -> NDArray[Any]:
        generator = Drawing(executor="serial")
        if lent is not None:
            generator._engine.lent = Lent(lent)  # type: ignore[assignment]
        with generator.flow(IMAGES, batch_size=4, seed=5, shuffle=False) as it:
            return np.concatenate([next(it) for _ in range(len(it))])

    assert distinct(read(None)) == len(IMAGES)
    np.testing.assert_array_equal(read(executor), read(None))


@pytest.mark.slow
def test_batch_function_with_a_generator(executor: Executor, crops: Path) -> None:
    rng = np.random.default_rng(1)

    def draws(index: int, filenames: list[str], classes: Any, params: Any) -> Any:
        return index, rng.normal(size=(len(filenames), 2)).astype("float32")

    def read(lent: Executor | None) -> list[NDArray[Any]]:
        generator = ImageDataGenerator(executor="serial", get_batch_function=draws)
        if lent is not None:
            generator._engine.lent = Lent(lent)  # type: ignore[assignment]
        flow = generator.flow_from_directory(crops, (4, 4), batch_size=2, seed=5)
        with flow as it:
            return [next(it) for _ in range(8)]

    expected = read(None)
    assert distinct(np.concatenate(expected)) == sum(map(len, expected))
    np.testing.assert_equal(read(executor), expected)


@pytest.fixture
def lazy_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module with a generator, which nobody has imported yet."""
    (tmp_path / "drawn_from_lazily.py").write_text(
        "import numpy\nRNG = numpy.random.default_rng(0)\n\ndef draw():\n    return RNG.normal()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("drawn_from_lazily", None)


@pytest.mark.usefixtures("lazy_module")
@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_module_that_the_hook_loads(kind: str) -> None:
    def lazy(x: Image) -> Image:
        import drawn_from_lazily as module  # type: ignore[import-not-found]

        return x + module.draw()

    made = make_executor(kind, 2, disable_gpu=True)
    received = [batches(lazy, made) for _ in range(2)]
    made.close()
    assert not any(type(finder).__name__ == "Watch" for finder in sys.meta_path)
    expected = batches(lazy, None)
    assert distinct(expected) == len(IMAGES)
    np.testing.assert_equal(received, [expected, expected])


def spawning() -> Callable[[Image], Image]:
    seeds = np.random.SeedSequence(1)
    return lambda x: x + np.random.default_rng(seeds.spawn(1)[0]).normal()


class MadeLater:
    rng: np.random.Generator | None = None

    def __call__(self, x: Image) -> Image:
        if self.rng is None:
            self.rng = np.random.default_rng(0)
        return x + self.rng.normal()


@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
@pytest.mark.parametrize("make", [spawning, MadeLater])
def test_what_nobody_can_seed_is_told_once(kind: str, make: Callable[[], Any]) -> None:
    made = make_executor(kind, 1, disable_gpu=True)
    with recorded() as caught:
        batches(make(), made)
    made.close()
    texts = [str(warning.message) for warning in caught]
    assert len([text for text in texts if "params.rng" in text]) == 1, texts


def test_what_is_made_from_the_numbers_of_the_sample_is_not_told() -> None:
    class Derived:
        rng: np.random.Generator

        def __call__(self, params: Any, x: Image) -> Image:
            self.rng = np.random.default_rng(params.rng.integers(2**32))
            return x + self.rng.normal()

    assert distinct(batches(Derived(), None)) == len(IMAGES)


def test_looking_for_generators_runs_nothing_of_the_user() -> None:
    class Touchy:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

        @property
        def value(self) -> float:
            raise AssertionError("a property")

    touchy = Touchy()
    module = types.ModuleType("touchy")
    module.__getattr__ = touchy.__getattr__  # type: ignore[method-assign]

    def hook(x: Image) -> Image:
        assert touchy is not None
        assert module is not None
        return x + GENERATOR.normal()

    assert distinct(batches(hook, None)) == len(IMAGES)


def test_a_batch_here_waits_for_a_function_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both draw from the generator of the process, and either would disturb the other's numbers."""
    order: list[str] = []
    inside, wants_its_turn = threading.Event(), threading.Event()
    reader = threading.Thread(target=lambda: next(here))

    def of_the_thread(x: Image) -> Image:
        before = np.random.normal()
        if not inside.is_set():
            inside.set()
            order.append("begins")
            reader.start()
            assert wants_its_turn.wait(20)
            order.append("ends")
        return x + before + np.random.normal()

    def of_the_reader(x: Image) -> Image:
        order.append("here")
        wants_its_turn.set()
        return x + np.random.normal()

    acquire = Turns.acquire

    def noting(self: Turns, turn: Turn) -> None:
        if threading.current_thread() is reader:
            wants_its_turn.set()
        acquire(self, turn)

    monkeypatch.setattr(Turns, "acquire", noting)
    here = ImageDataGenerator(executor="serial", preprocessing_function=of_the_reader).flow(
        IMAGES[:1], batch_size=1, seed=1
    )
    threads = ImageDataGenerator(executor="threads", cores=1, preprocessing_function=of_the_thread)
    with here, threads.flow(IMAGES[:2], batch_size=2, seed=1, shuffle=False) as it:
        next(it)
        reader.join(20)
    assert order == ["begins", "ends", "here"]
