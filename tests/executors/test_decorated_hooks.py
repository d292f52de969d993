"""Hooks as people write them, decorated and bound, run as with Keras, or one warning says where."""

from __future__ import annotations

import functools
import itertools
import operator
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from executor_support import Lent
from holding_hooks import STAYS
from ray_support import needs_ray
from reference import keras_generator, quiet

from imageloom import ImageDataGenerator
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

PIXELS = np.random.RandomState(0).uniform(0, 255, (6, 12, 12, 3)).astype("float32")
Hook = Callable[[Any], Any]


@pytest.fixture(scope="module", params=["processes", pytest.param("ray", marks=needs_ray)])
def far(request: pytest.FixtureRequest) -> Iterator[tuple[str, Executor]]:
    """An executor in other processes, and its name."""
    if request.param == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    executor = make_executor(request.param, 1, disable_gpu=True)
    yield request.param, executor
    executor.close()


def twice(function: Hook) -> Hook:
    @functools.wraps(function)
    def inner(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options) * 2

    return inner


@twice
def wrapped(x: Any) -> Any:
    """Of this module, under the name of what is behind it."""
    return x + 1


@functools.cache
def weight(size: int) -> float:
    return 1 / size


def cached_in_a_closure() -> Hook:
    @functools.lru_cache
    def factorial(n: int) -> int:
        return 1 if n < 2 else n * factorial(n - 1)

    factorial(5)
    return lambda x: x + factorial(4) + weight(4)


class Owner:
    factor = 3.0

    def __init__(self) -> None:
        self.lock = threading.RLock()

    @functools.cached_property
    def table(self) -> Any:
        return np.arange(256, dtype="float32") / 2

    @functools.lru_cache  # noqa: B019  # as people write it
    def cached(self, n: int) -> float:
        return n * self.factor

    def look_up(self, x: Any) -> Any:
        with self.lock:
            return self.table[x.astype(int)] + self.cached(2)

    def times(self, factor: float, x: Any) -> Any:
        return x * factor

    doubled = functools.partialmethod(times, 2.0)

    @classmethod
    def scaled(cls, x: Any) -> Any:
        return x * cls.factor

    @staticmethod
    def plain(x: Any) -> Any:
        return x - 1


def method_with_caches() -> Hook:
    owner = Owner()
    owner.look_up(PIXELS[0])
    return owner.look_up


def dispatched() -> Hook:
    @functools.singledispatch
    def hook(x: object) -> Any:
        raise TypeError(type(x))

    @hook.register(np.ndarray)
    def _(x: Any) -> Any:
        return x + 5

    return hook


def in_a_cell() -> Hook:
    """Of a notebook: its names are those of the main module, and some of them cannot travel."""
    scope: dict[str, Any] = {"__name__": "__main__", "np": np}
    text = "table = np.arange(256.)\nbatches = iter([1])\ndef hook(x):\n    return table[x.astype(int)]"
    exec(compile(text, "<ipython-input-1-abc>", "exec"), scope)
    hook: Hook = scope["hook"]
    return hook


def counting() -> Hook:
    calls = 0

    def hook(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return x + min(calls, 1)

    return hook


def without_gradients() -> Hook:
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    model = torch.nn.Linear(3, 3)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def hook(x: Any) -> Any:
        return model(torch.from_numpy(x.copy())).numpy()

    return hook


def for_inference() -> Hook:
    torch = pytest.importorskip("torch")
    return torch.inference_mode()(lambda x: torch.from_numpy(x.copy()).flip(0).numpy())  # type: ignore[no-any-return]


def graph_function() -> Hook:
    tf = pytest.importorskip("tensorflow")
    hook: Hook = tf.function(lambda x: x * 2)
    return hook


def graph_function_after_a_call() -> Hook:
    tf = pytest.importorskip("tensorflow")
    function = tf.function(lambda x: x * 2)
    function(tf.constant(PIXELS[0]))
    return lambda x: function(tf.constant(x)).numpy()


def compiled_by_jax() -> Hook:
    jax = pytest.importorskip("jax")
    function = jax.jit(lambda x: x * 2)
    return lambda x: np.array(function(x))


def weakly() -> Hook:
    known: Any = weakref.WeakValueDictionary(owner=Owner)
    return lambda x: x + len(known)


def endless() -> Hook:
    ones = itertools.repeat(1.0)
    return lambda x: x + next(ones)


TRAVELS: dict[str, Callable[[], Hook]] = {
    "wraps": lambda: wrapped,
    "wraps in a closure": lambda: twice(lambda x: x + 3),
    "lru_cache": cached_in_a_closure,
    "cached methods": method_with_caches,
    "partialmethod": lambda: Owner().doubled,
    "class method": lambda: Owner.scaled,
    "static method": lambda: Owner.plain,
    "partial": lambda: functools.partial(operator.add, 3),
    "partial of partial": lambda: functools.partial(functools.partial(np.multiply, 2)),
    "methodcaller": lambda: operator.methodcaller("clip", 10, 100),
    "ufunc": lambda: np.negative,
    "vectorize": lambda: np.vectorize(lambda value: value + 1),
    "cell of a notebook": in_a_cell,
    "counter": counting,
    "iterator without an end": endless,
    "torch.no_grad": without_gradients,
    "torch.inference_mode": for_inference,
    "tf.function": graph_function,
    "jax.jit": compiled_by_jax,
}
STAY: dict[str, tuple[Callable[[], Hook], str]] = {
    "singledispatch": (dispatched, "`dispatch_cache`, an object of type weakref.WeakKeyDictionary"),
    "weak dictionary": (weakly, "`known`, an object of type weakref.WeakValueDictionary"),
    "tf.function after a call": (
        graph_function_after_a_call,
        "`function`, an object of type tensorflow",
    ),
}


def batches(generator: Any) -> list[Any]:
    it = generator.flow(PIXELS, batch_size=4, shuffle=False)
    found = [next(it) for _ in range(3)]
    if isinstance(generator, ImageDataGenerator):
        it.close()
    return found


def assert_as_keras(far: tuple[str, Executor], make: Callable[[], Hook]) -> list[str]:
    """Compares the batches with those of Keras, and returns the warnings."""
    kind, executor = far
    with quiet():
        expected = batches(keras_generator(preprocessing_function=make()))
    # A new one, because some cannot travel any more once they were called.
    generator = ImageDataGenerator(executor=kind, cores=1, preprocessing_function=make())
    generator._engine.shared = Lent(executor)  # type: ignore[assignment]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        received = batches(generator)
    for ours, theirs in zip(received, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)
    return [str(one.message) for one in caught if issubclass(one.category, UserWarning)]


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAVELS)
def test_it_runs_in_workers(name: str, far: tuple[str, Executor]) -> None:
    assert assert_as_keras(far, TRAVELS[name]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", STAY)
def test_it_stays_with_one_warning_that_names_it(name: str, far: tuple[str, Executor]) -> None:
    make, named = STAY[name]
    [warning] = assert_as_keras(far, make)
    assert STAYS in warning
    assert named in warning
