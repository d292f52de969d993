"""Random generators that functions of the user draw from, and how each is seeded and put back.

Some belong to the whole process: those of `random`, NumPy, torch, TensorFlow and OpenCV. Others are
objects that a function refers to. Frameworks are looked for among the loaded modules only.
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from imageloom._checks.asking import is_a

__all__ = ["GLOBAL_NAMES", "Source", "global_source", "is_global", "source_of"]


@dataclass(frozen=True, slots=True)
class Source:
    """A random generator.

    Attributes:
        get: Returns its state.
        put: Gives it such a state.
        seed: Gives it the state that a number below 2**32 determines.
    """

    get: Callable[[], Any]
    put: Callable[[Any], None]
    seed: Callable[[int], None]


# In the order of the numbers that they are seeded with. Those of frameworks exist once they are loaded.
GLOBAL_NAMES: Final[tuple[str, ...]] = ("random", "numpy", "torch", "tensorflow", "cv2")


def global_source(name: str) -> Source | None:
    """One of the process; None if its library is not loaded, or only partly so."""
    if name == "random":
        return Source(random.getstate, random.setstate, random.seed)
    if name == "numpy":
        return Source(np.random.get_state, np.random.set_state, np.random.seed)
    module = sys.modules.get(name)
    if module is None:
        return None
    try:
        return _OF_MODULES[name](module)
    except (KeyError, AttributeError):  # another thread is importing it
        return None


def is_global(generator: Any) -> bool:
    """Whether an object is the generator of the whole process, in `random`, NumPy or torch."""
    return name_of_global(generator) is not None


def name_of_global(generator: Any) -> str | None:
    """The library whose generator of the whole process an object is; None for any other object."""
    torch = sys.modules.get("torch")
    if generator is getattr(random.random, "__self__", None):
        return "random"
    if generator is getattr(np.random.rand, "__self__", None):
        return "numpy"
    if torch is not None and generator is getattr(torch, "default_generator", None):
        return "torch"
    return None


def global_generator(name: str) -> Any:
    """The generator of this process, in the library of this name."""
    if name == "torch":
        return importlib.import_module(name).default_generator
    return getattr({"random": random.random, "numpy": np.random.rand}[name], "__self__", None)


def _of_torch(torch: Any) -> Source:
    # That of the CPU alone: what a training draws on a GPU is its own.
    generator = torch.default_generator
    return Source(generator.get_state, generator.set_state, generator.manual_seed)


_SEEDS_OF_TENSORFLOW: Final[set[int]] = set()  # whose kernels may have drawn in this process
_MOST_SEEDS: Final = 100_000


def _of_tensorflow(tensorflow: Any) -> Source:
    # Nothing public tells the state.
    state = sys.modules["tensorflow.python.eager.context"].context()

    def get() -> Any:
        generator = getattr(state, "_rng", None)  # None as long as nobody has set a seed
        return state._seed, generator, None if generator is None else generator.getstate()

    def put(saved: Any) -> None:
        state._seed, state._rng = saved[:2]
        if saved[1] is not None:
            saved[1].setstate(saved[2])

    def seed(word: int) -> None:
        # `set_seed` also forgets all kernels, and the masks of a model's dropout would start again.
        # That is needed only if kernels with this seed have drawn already.
        if word in _SEEDS_OF_TENSORFLOW or len(_SEEDS_OF_TENSORFLOW) >= _MOST_SEEDS:
            tensorflow.random.set_seed(word)
            _SEEDS_OF_TENSORFLOW.clear()
        else:
            state._seed, state._rng = word, random.Random(word)
        _SEEDS_OF_TENSORFLOW.add(word)

    get()  # raises AttributeError if another version keeps them elsewhere
    return Source(get, put, seed)


def _of_opencv(cv2: Any) -> Source:
    # It has one generator for each thread, and does not tell its state.
    return Source(lambda: None, lambda _: None, lambda word: cv2.setRNGSeed(word & 0x7FFFFFFF))


_OF_MODULES: Final[dict[str, Callable[[Any], Source]]] = {
    "torch": _of_torch,
    "tensorflow": _of_tensorflow,
    "cv2": _of_opencv,
}


def source_of(generator: Any) -> Source | None:
    """A generator that a function refers to; None if the object is none, or cannot be seeded."""
    if is_a(generator, random.Random):
        if is_a(generator, random.SystemRandom):
            return None  # the same for nobody, by intention
        return Source(generator.getstate, generator.setstate, generator.seed)
    if is_a(generator, np.random.Generator):
        return _of_bit_generator(generator.bit_generator)
    if is_a(generator, np.random.BitGenerator):
        return _of_bit_generator(generator)
    if is_a(generator, np.random.RandomState):
        return _of_random_state(generator)
    return _of_framework(generator)


def _of_bit_generator(bits: Any) -> Source:
    def put(state: Any) -> None:
        bits.state = state

    def seed(word: int) -> None:
        bits.state = type(bits)(word).state

    return Source(lambda: bits.state, put, seed)


def _of_random_state(generator: np.random.RandomState) -> Source:
    def seed(word: int) -> None:
        state: Any = generator.get_state(legacy=False)
        fresh = type(generator._bit_generator)(word).state
        generator.set_state({**state, **fresh, "has_gauss": 0, "gauss": 0.0})

    return Source(lambda: generator.get_state(legacy=False), generator.set_state, seed)


def _of_framework(generator: Any) -> Source | None:
    kind = type(generator)
    package = kind.__module__.partition(".")[0]
    if package == "torch" and kind.__name__ == "Generator":
        return Source(generator.get_state, generator.set_state, generator.manual_seed)
    if package == "tensorflow" and kind.__name__ == "Generator":
        return Source(
            generator.state.numpy,
            generator.state.assign,
            generator.reset_from_seed,
        )
    if package in ("keras", "tf_keras") and kind.__name__ == "SeedGenerator":
        return Source(
            lambda: np.array(generator.state),
            generator.state.assign,
            lambda word: generator.state.assign(np.array([word, 0], np.uint32)),
        )
    return None
