"""Functions of the user see the settings of libraries that the program has made, whoever computes."""

from __future__ import annotations

import json
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import run_program
from ray_support import needs_ray

from imageloom import ImageDataGenerator, NumpyArrayIterator

EXECUTORS = ["serial", "threads", "processes", pytest.param("ray", marks=needs_ray)]
ELSEWHERE = ["threads", "processes", pytest.param("ray", marks=needs_ray)]
OWN: ContextVar[int] = ContextVar("OWN", default=1)


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest) -> str:
    """An executor whose functions do not run in the thread that reads."""
    if request.param == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    return str(request.param)


def flow_with(executor: str, function: Any) -> NumpyArrayIterator:
    # Nothing is computed by the thread that reads, because a limit of time is set.
    generator = ImageDataGenerator(
        executor=executor,
        cores=1,
        max_batches_pending=1,
        preprocessing_function=function,
        batch_timeout=90,
    )
    images = np.arange(64 * 4 * 4, dtype=np.uint8).reshape(64, 4, 4, 1)
    return generator.flow(images, batch_size=1, shuffle=False)


def seen_by(it: NumpyArrayIterator) -> float:
    return float(next(it)[0, 0, 0, 0])


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    "names",
    [
        ("sys", "socket", "decimal", "numpy"),
        pytest.param(("torch",), marks=pytest.mark.frameworks("torch")),
        pytest.param(("keras", "jax"), marks=pytest.mark.frameworks("keras", "jax")),
        pytest.param(("tf_keras",), marks=pytest.mark.frameworks("tf_keras", "tensorflow")),
    ],
    ids=" ".join,
)
def test_settings_of_a_program(
    names: tuple[str, ...], executor: str, crops: Path, tmp_path: Path
) -> None:
    given = {"CROPS": str(crops), "SIGNALS": str(tmp_path), "KERAS_BACKEND": "jax"}
    arguments = [json.dumps(text) for text in (executor, *names)]
    done = run_program(
        "executors/settings_of_libraries.py", *arguments, cwd=tmp_path, environment=given
    )
    assert done.returncode == 0, done.stderr
    [told] = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert json.loads(told.removeprefix("TOLD ")) == {"same": [], "differs": {}, "fallback": None}


def division(x: Any) -> Any:
    return np.full_like(x, np.geterr()["divide"] == "raise")


@pytest.mark.parametrize("elsewhere", ELSEWHERE, indirect=True)
def test_each_iterator_has_those_of_its_first_batch(elsewhere: str) -> None:
    with flow_with(elsewhere, division) as strict, flow_with(elsewhere, division) as usual:
        with np.errstate(divide="raise"):
            assert seen_by(strict) == 1
        for _ in range(4):
            assert seen_by(usual) == 0
            assert seen_by(strict) == 1


@pytest.mark.slow
@pytest.mark.frameworks("torch")
@pytest.mark.parametrize("elsewhere", ELSEWHERE, indirect=True)
def test_gradients_of_torch(elsewhere: str) -> None:
    import torch

    def has_gradients(x: Any) -> Any:
        import torch

        return np.full_like(x, torch.is_grad_enabled())

    with flow_with(elsewhere, has_gradients) as frozen, flow_with(elsewhere, has_gradients) as usual:
        with torch.no_grad():
            assert seen_by(frozen) == 0
        for _ in range(4):
            assert seen_by(usual) == 1
            assert seen_by(frozen) == 0
    assert torch.is_grad_enabled()


def test_variables_of_a_context_reach_threads() -> None:
    def own(x: Any) -> Any:
        return np.full_like(x, OWN.get())

    token = OWN.set(5)
    try:
        with flow_with("threads", own) as it:
            assert [seen_by(it) for _ in range(4)] == [5] * 4
    finally:
        OWN.reset(token)


def test_a_function_may_read_an_iterator_in_a_thread() -> None:
    """What this library keeps in such variables does not come along."""
    inner = flow_with("threads", lambda x: x + 1)

    def reading(x: Any) -> Any:
        return x + next(inner)[0]

    with inner, flow_with("threads", reading) as outer:
        found = [seen_by(outer) for _ in range(3)]
    assert found == [0 + 0 + 1, 16 + 16 + 1, 32 + 32 + 1]


def test_recursion() -> None:
    def deep(x: Any) -> Any:
        def level(left: int) -> int:
            return 0 if left == 0 else 1 + level(left - 1)

        return np.full_like(x, level(3 * usual // 2) > usual)

    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(3 * usual)
    try:
        with flow_with("processes", deep) as it:
            assert seen_by(it) == 1
    finally:
        sys.setrecursionlimit(usual)


def test_no_library_is_loaded_for_its_settings() -> None:
    def loaded(x: Any) -> Any:
        import sys

        return np.full_like(x, bool({"keras", "tf_keras", "jax", "torch"} & sys.modules.keys()))

    pytest.importorskip("keras")
    with flow_with("processes", loaded) as it:
        assert seen_by(it) == 0
