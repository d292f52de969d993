"""Seeds all random generators that the user's functions may draw from, anew for each batch.

So what they draw depends on the batch alone: not on the process that computes it, nor on the batches
before it there. These are the generators of the process (`random`, `numpy.random`, torch's and
TensorFlow's if they are loaded) and all that the functions refer to (see `carried`). The program's own
get their states back afterwards.

In threads, functions that use any of these take turns, and each batch's states are put there and taken
away for each call. A batch that the reader's thread computes takes a turn as a whole.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final

import numpy as np

from imageloom._pipeline.batch_method import BATCH_METHOD
from imageloom._pipeline.carried import Found, find_generators
from imageloom._pipeline.random_sources import GLOBAL_NAMES, Source, global_source
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.seeds import StreamPurpose
from imageloom._pipeline.watch import Watch

__all__ = ["DrawingTurn", "HookRandomness"]

_ALWAYS: Final = ("random", "numpy")
_OFTEN: Final = ("torch",)
_LOOKS: Final = 2  # the batches after which it is looked again for generators
_FRAMEWORKS: Final = ("torch", "tensorflow")


class HookRandomness:
    """The generators that the functions of one recipe may draw from.

    Attributes:
        warnings: What to tell the user about generators that nobody can seed, as in `BatchReport`.
        needs_turns: Whether the functions use a generator that threads of a process share.
    """

    def __init__(self, recipe: Recipe) -> None:
        """Looks through the functions of the recipe."""
        self._roots = tuple(_roots(recipe)) if recipe.user_code else ()
        self._found = found = find_generators(self._roots) if self._roots else Found()
        self.warnings = tuple(
            (f"generator {path}", _in_words(path, kind), UserWarning)
            for path, kind in found.unruly.items()
        )
        self._looks = _LOOKS
        code = recipe.user_code
        self._asks_for_numbers = any(
            hook is not None and hook.wants_params for hook in (code.hook, code.noaug_hook)
        )
        self.needs_turns = bool(found.carried or found.used or found.not_loaded)

    def seeded(self, task: BatchTask, *, restore: bool) -> AbstractContextManager[None]:
        """Seeds the generators for a batch that this process computes with nothing beside it.

        With `restore`, they have their former states afterwards.
        """
        return self._seeded(task, restore=restore) if self._roots else nullcontext()

    @contextmanager
    def _seeded(self, task: BatchTask, *, restore: bool) -> Iterator[None]:
        # In the program, TensorFlow's generator may belong to a training.
        used = {*_ALWAYS, *(_OFTEN if restore else _FRAMEWORKS), *self._found.used}
        states = _States(self._sources(task, used))
        with self._seeding_what_is_loaded(task, states, used):
            if restore:
                outer = states.present()
                states.seed()
                try:
                    yield
                finally:
                    states.put({**states.outer, **outer})
            else:
                states.seed()
                yield

    @contextmanager
    def seeded_for_each_call(self, task: BatchTask) -> Iterator[None]:
        """Makes `DrawingTurn` seed the generators whenever functions run, for a batch in a thread."""
        if not self.needs_turns:
            yield
            return
        found = self._found

        def sources() -> dict[str, tuple[Source, int]] | None:
            """All of them, if the batch of another thread has loaded a module since."""
            return None if self._found is found else self._sources(task, self._found.used)

        states = _States(self._sources(task, found.used), sources)
        token = _current.set(states)
        try:
            with self._seeding_what_is_loaded(task, states, self._found.used):
                yield
        finally:
            _current.reset(token)

    def look_again(self) -> None:
        """Looks for generators that the functions have made while they ran, in the first batches.

        They made each from a seed of their own, so that the first batch of each process would be the
        same, unless they made it from `params.rng`.
        """
        if self._looks == 0 or not self._found.objects:
            return
        self._looks -= 1
        before, self._found = self._found, find_generators(self._roots)
        made = self._found.carried.keys() - before.carried.keys()
        if not self._asks_for_numbers and not before.not_loaded:
            self.warnings += tuple(
                (
                    f"generator {path}",
                    _in_words(path, "a generator that it has made itself"),
                    UserWarning,
                )
                for path in sorted(made)
            )

    def _sources(self, task: BatchTask, used: set[str]) -> dict[str, tuple[Source, int]]:
        """The generators by their names or ways, and the number to seed each with."""
        words = _words(task)
        found = {name: (global_source(name), words[name]) for name in GLOBAL_NAMES if name in used}
        sources = {name: (source, word) for name, (source, word) in found.items() if source is not None}
        for path, source in self._found.carried.items():
            sources[f"way {path}"] = source, _word_of(task, path)
        return sources

    @contextmanager
    def _seeding_what_is_loaded(
        self, task: BatchTask, states: _States, used: set[str]
    ) -> Iterator[None]:
        """Seeds the generators of modules at the moment when a function loads these.

        From its second batch on, a process has them already.
        """
        frameworks = {name for name in used if name in _FRAMEWORKS and name not in sys.modules}
        names = frameworks | {name for name in self._found.not_loaded if name not in sys.modules}
        if not names:
            yield
            return

        def then(name: str) -> None:
            if name not in frameworks:
                self._found = find_generators(self._roots)
            states.add(self._sources(task, used))

        watch = Watch(names, then)
        sys.meta_path.insert(0, watch)
        try:
            yield
        finally:
            with suppress(ValueError):  # somebody has made a new list
                sys.meta_path.remove(watch)


def _roots(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    """What the functions are, and what they are given; the same in each process."""
    code = recipe.user_code
    hooks = [hook for hook in (code.noaug_hook, code.hook) if hook is not None]
    yield from ((hook.name, hook.function) for hook in hooks)
    if code.batch_function is not None:
        yield "get_batch_function", code.batch_function
    if code.batch_method is not None:
        yield BATCH_METHOD, code.batch_method
    asked_for = code.overrides or code.batch_function or any(hook.wants_params for hook in hooks)
    if asked_for and recipe.params.image_data_generator is not None:
        yield "the generator", recipe.params.image_data_generator


class _States(AbstractContextManager[None]):
    """The states of generators for one batch; they are there in the `with` block, and only there."""

    def __init__(
        self,
        sources: dict[str, tuple[Source, int]],
        later: Callable[[], dict[str, tuple[Source, int]] | None] = lambda: None,
    ) -> None:
        self._sources = sources
        self._later = later
        self._own: dict[str, Any] = {}  # those of the batch, once it has begun
        self.outer: dict[str, Any] = {}
        self._depth = 0

    def seed(self) -> None:
        for source, word in self._sources.values():
            source.seed(word)

    def add(self, sources: dict[str, tuple[Source, int]]) -> None:
        """Seeds further generators, while the others are in use."""
        for name in sources.keys() - self._sources.keys():
            source, word = self._sources[name] = sources[name]
            self.outer[name] = source.get()
            source.seed(word)

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        later = self._later() or {}
        fresh = {name: later[name] for name in later.keys() - self._sources.keys()}
        self._sources |= fresh
        self.outer = self.present()
        if self._own:
            self.put(self._own)
            for source, word in fresh.values():
                source.seed(word)
        else:
            self.seed()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._own = self.present()
            self.put(self.outer)

    def present(self) -> dict[str, Any]:
        return {name: source.get() for name, (source, _) in self._sources.items()}

    def put(self, states: dict[str, Any]) -> None:
        for name, state in states.items():
            self._sources[name][0].put(state)


# Of the batch that this thread computes, if its functions have to take turns.
_current: ContextVar[_States | None] = ContextVar("imageloom.states", default=None)


class DrawingTurn:
    """Lets one function of the program draw at a time, with the states that its batch has."""

    def __init__(self, turn: AbstractContextManager[Any]) -> None:
        """`turn` is the lock."""
        self._turn = turn

    def __enter__(self) -> None:
        """Waits for the lock, and gives the generators the states of this batch."""
        self._turn.__enter__()
        states = _current.get()
        if states is not None:
            states.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives back the states that the program had, then the lock."""
        states = _current.get()
        if states is not None:
            states.__exit__(kind, error, trace)
        self._turn.__exit__(kind, error, trace)


def _words(task: BatchTask) -> dict[str, int]:
    entropy = (task.spec.seed, StreamPurpose.GLOBAL_GENERATORS)
    words = np.random.SeedSequence(entropy).generate_state(len(GLOBAL_NAMES))
    return dict(zip(GLOBAL_NAMES, map(int, words), strict=True))


def _word_of(task: BatchTask, path: str) -> int:
    entropy = (task.spec.seed, StreamPurpose.CARRIED_GENERATORS, zlib.crc32(path.encode()))
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _in_words(path: str, kind: str) -> str:
    return (
        f"A function of the generator draws random numbers from {kind} ({path}), which may be the same "
        "in each worker and differ from run to run. Draw from `params.rng` instead."
    )
