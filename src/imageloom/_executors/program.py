"""The worker processes of this program, which all generators share.

They linger for a while after the last iterator is gone. What a worker has imported meanwhile is
what the program had then. So code of the user goes to workers that were started in the present
state of the program: the same search path, working directory, environment and modules. The rest
they take over with each recipe (see `state`). Remote files are read by workers with the present
environment.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from imageloom._checks.asking import said_by
from imageloom._executors.base import Channel
from imageloom._executors.libraries import is_users
from imageloom._executors.shared import SharedExecutor, make_executor
from imageloom._locks import Lock
from imageloom._pipeline.recipe import Recipe

__all__ = ["end_idle_workers", "open_channel"]


@dataclass(frozen=True, slots=True)
class _ProgramState:
    """What the functions of the user find in a worker that was started now."""

    path: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    modules: dict[str, tuple[Any, Any]]

    @classmethod
    def now(cls) -> _ProgramState:
        modules = {
            name: (module, said_by(module, "__spec__"))
            for name, module in tuple(sys.modules.items())
            if _is_users_own(said_by(module, "__file__"))
        }
        return cls(tuple(sys.path), _folder(), dict(os.environ), modules)

    def is_that_of(self, before: _ProgramState) -> bool:
        """Whether nothing has changed but that further modules were imported."""
        return (
            (self.path, self.folder, self.environment)
            == (before.path, before.folder, before.environment)
        ) and all(
            (found := self.modules.get(name)) is not None
            and found[0] is module
            and found[1] is spec  # another one after `importlib.reload`
            for name, (module, spec) in before.modules.items()
        )


def _is_users_own(file: object) -> bool:
    return isinstance(file, str) and is_users(file)


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return ""


@dataclass(eq=False, slots=True)
class _Workers:
    """Workers that were started in one state of the program."""

    disable_gpu: bool
    state: _ProgramState
    shared: SharedExecutor = field(default_factory=lambda: SharedExecutor(lingers=True))

    def suit(self, recipe: Recipe, state: _ProgramState) -> bool:
        """Whether they may compute batches of a recipe in the present state of the program."""
        if not recipe.user_code:
            # The libraries of storages find credentials in the environment.
            return recipe.storage is None or state.environment == self.state.environment
        if not state.is_that_of(self.state):
            return False
        self.state = state  # workers may import the new modules from now on
        return True


class _Registry:
    """All workers of this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._all: list[_Workers] = []

    def open(
        self,
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None,
        *,
        workers: int,
        disable_gpu: bool,
    ) -> Channel:
        make = partial(make_executor, "processes", workers, disable_gpu=disable_gpu)
        with self._lock:
            shared = self._suiting(recipe, disable_gpu=disable_gpu)
            return shared.open(make, recipe, max_batches_pending, batch_timeout, workers=workers)

    def _suiting(self, recipe: Recipe, *, disable_gpu: bool) -> SharedExecutor:
        """The workers of other channels if they suit the recipe, else new ones."""
        state = _ProgramState.now()
        self._all = [workers for workers in self._all if workers.shared.running]
        for workers in reversed(self._all):
            if workers.disable_gpu == disable_gpu and workers.suit(recipe, state):
                return workers.shared
        self.end_idle()  # they take memory, and the state that they were started in is over
        self._all.append(_Workers(disable_gpu, state))
        return self._all[-1].shared

    def end_idle(self) -> None:
        """Ends the workers that only linger."""
        with self._lock:
            for workers in self._all:
                workers.shared.give_back()


# By process: a forked child has no workers, and must not end those of its parent.
_registries: Final[dict[int, _Registry]] = {}


def open_channel(
    recipe: Recipe,
    max_batches_pending: int,
    batch_timeout: float | None,
    *,
    workers: int,
    disable_gpu: bool,
) -> Channel:
    """Opens a channel to the workers of this program, for at most `workers` of them.

    Raises:
        CannotTravel: A hook cannot be sent to another process.
    """
    registry = _registries.setdefault(os.getpid(), _Registry())
    return registry.open(
        recipe, max_batches_pending, batch_timeout, workers=workers, disable_gpu=disable_gpu
    )


def end_idle_workers() -> None:
    """Ends the workers of this program that only linger, for who counts what is left of it."""
    for registry in tuple(_registries.values()):
        registry.end_idle()
