"""Which functions of the user are for workers only."""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import flow

from imageloom import ImageDataGenerator
from imageloom._executors.own_process import needs_own_process
from imageloom._pipeline.recipe import Recipe

Function = Callable[[Any], Any]


def end(x: Any) -> Any:
    os._exit(1)


def kill(x: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)
    return x


def called(x: Any) -> Any:
    return end(x)


def inner(x: Any) -> Any:
    return [time.sleep(0) for _ in range(2)]


def wrapping(function: Function) -> Function:
    @functools.wraps(function)
    def wrapper(x: Any) -> Any:
        return function(x)

    return wrapper


class Callee:
    def __call__(self, x: Any) -> Any:
        return self.end(x)

    def end(self, x: Any) -> Any:
        sys.exit(3)

    def harmless(self, x: Any) -> Any:
        return x + 1


def harmless(x: Any) -> Any:
    return np.clip(x * 2, 0, 255)


def recursive(x: Any) -> Any:
    return recursive(x - 1) if x.max() > 0 else harmless(x)


def recipe_of(crops: Path, **options: Any) -> Recipe:
    it = flow(crops, **options)
    return it._plan.recipe(it.image_data_generator._freeze(), it.batch_size)


@pytest.mark.parametrize(
    "function",
    [end, kill, called, inner, wrapping(end), functools.partial(kill), Callee(), Callee().end],
)
def test_functions_that_end_their_process_or_wait(crops: Path, function: Function) -> None:
    assert needs_own_process(recipe_of(crops, preprocessing_function=function))
    assert needs_own_process(recipe_of(crops, noaug_preprocessing_function=function))
    assert needs_own_process(recipe_of(crops, get_batch_function=function))


@pytest.mark.parametrize(
    "function",
    [harmless, recursive, wrapping(harmless), Callee().harmless, np.abs, lambda x: x, len],
)
def test_other_functions(crops: Path, function: Function) -> None:
    assert not needs_own_process(recipe_of(crops, preprocessing_function=function))


def test_methods_of_the_generator_count(crops: Path) -> None:
    class Ending(ImageDataGenerator):
        def standardize(self, x: Any) -> Any:
            return end(x)

    it = Ending(executor="serial").flow_from_directory(crops, (24, 24))
    assert needs_own_process(it._plan.recipe(it.image_data_generator._freeze(), 4))


def test_without_functions_there_is_nothing_to_fear(crops: Path) -> None:
    assert not needs_own_process(recipe_of(crops))
