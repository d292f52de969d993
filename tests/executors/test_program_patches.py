"""Functions of the user find what the program has put into the modules of others, whoever computes."""

from __future__ import annotations

import builtins
import collections.abc
import functools
import importlib
import math
import pickle
import random
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.ndimage as ndi
from holding_hooks import STAYS
from PIL import Image

from imageloom import ImageDataGenerator, NumpyArrayIterator
from imageloom._executors.state.patches import assign_patches, patches
from imageloom._executors.state.users_modules import spaces_of

VALUE = 9.0


def flow_with(function: Any, executor: str = "processes") -> NumpyArrayIterator:
    # Nothing is computed by the thread that reads, because a limit of time is set.
    generator = ImageDataGenerator(
        executor=executor, cores=1, preprocessing_function=function, batch_timeout=90
    )
    return generator.flow(np.full((8, 4, 4, 3), VALUE), batch_size=2)


def seen_by(it: NumpyArrayIterator) -> float:
    return float(next(it)[0].max())


def doubled(image: Any, *_: Any) -> Any:
    return image * 2


@functools.wraps(np.square)
def not_squared(image: Any) -> Any:
    return image + 1


def resized(image: Any) -> Any:
    picture = Image.fromarray(image.astype("uint8"))
    return np.asarray(picture.resize((4, 4), Image.ANTIALIAS))  # type: ignore[attr-defined]


def resized_by_import(image: Any) -> Any:
    from PIL import Image as module

    picture = module.fromarray(image.astype("uint8"))
    return np.asarray(picture.resize((4, 4), module.ANTIALIAS))  # type: ignore[attr-defined]


# The functions look variables of modules up when they are called, and not now.
CASES: dict[str, tuple[Any, str, Any, Callable[[Any], Any], float]] = {
    "Pillow's removed name": (Image, "ANTIALIAS", Image.Resampling.LANCZOS, resized, 9),
    "import in the function": (Image, "ANTIALIAS", Image.Resampling.LANCZOS, resized_by_import, 9),
    "NumPy's removed name": (np, "int", int, lambda x: x + np.int(3), 12),  # type: ignore[attr-defined]  # noqa: NPY001
    "a class": (
        collections,
        "Iterable",
        collections.abc.Iterable,
        lambda x: x + isinstance([], collections.Iterable),  # type: ignore[attr-defined]
        10,
    ),
    "a function of Python": (time, "clock", time.perf_counter, lambda x: x + (time.clock() > 0), 10),  # type: ignore[attr-defined]
    "a number": (math, "tau", 4.0, lambda x: x + math.tau, 13),
    "a function of the user": (ndi, "old_zoom", doubled, lambda x: ndi.old_zoom(x, 2), 18),
    "a partial": (ndi, "old_zoom", functools.partial(doubled), lambda x: ndi.old_zoom(x), 18),  # noqa: PLW0108
    "a lambda in the place of a function": (np, "fix", lambda x: x + 100, lambda x: np.fix(x), 109),  # noqa: PLW0108
    "a function that says it is another": (np, "square", not_squared, lambda x: np.square(x), 10),  # noqa: PLW0108
    "a variable of all modules": (builtins, "extra", 5, lambda x: x + extra, 14),  # noqa: F821
    "a built-in function": (builtins, "abs", lambda x: x - 9, lambda x: abs(x), 0),  # noqa: PLW0108
    "of a module of a package": (cv2, "blur", doubled, lambda x: cv2.blur(x, (3, 3)), 18),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_what_the_program_has_assigned(
    executor: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, attribute, value, function, expected = CASES[name]
    monkeypatch.setattr(module, attribute, value, raising=False)

    def hook(x: Any) -> Any:  # travels by value
        return function(x)

    with flow_with(hook, executor) as it:
        assert seen_by(it) == expected
        assert it.report().fallback is None


def test_what_only_a_library_asks_numpy_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "sctypes", {"float": [np.float32]}, raising=False)

    def hook(x: Any) -> Any:
        library = importlib.import_module("numpy")
        return x + len(getattr(library, "sc" + "types")["float"])

    with flow_with(hook) as it:
        assert seen_by(it) == VALUE + 1


def module_of(name: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the user, until the end of the test."""
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    module = importlib.import_module(name)
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_modules_of_the_user_mention_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import numpy as np\n\ndef hook(x):\n    return x + np.int(4)\n"
    module = module_of("hooks_of_patches", text, tmp_path, monkeypatch)
    monkeypatch.setattr(np, "int", int, raising=False)
    with flow_with(module.hook) as it:
        assert seen_by(it) == VALUE + 4


def test_modules_of_the_user_read_the_main_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import __main__\n\ndef hook(x):\n    return __main__.more(x) + __main__.gain\n"
    module = module_of("hooks_of_main", text, tmp_path, monkeypatch)
    monkeypatch.setattr("__main__.gain", 4, raising=False)
    monkeypatch.setattr("__main__.more", doubled, raising=False)
    with flow_with(module.hook) as it:
        assert seen_by(it) == 2 * VALUE + 4


def test_a_function_that_cannot_be_sent_keeps_the_hook_here(monkeypatch: pytest.MonkeyPatch) -> None:
    contrast = cv2.createCLAHE()
    monkeypatch.setattr(ndi, "limit", lambda x: x + contrast.getClipLimit(), raising=False)

    def hook(x: Any) -> Any:
        return ndi.limit(x)

    with pytest.warns(UserWarning, match=STAYS), flow_with(hook) as it:
        assert seen_by(it) == VALUE + contrast.getClipLimit()


def test_what_nobody_mentions_keeps_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    contrast = cv2.createCLAHE()
    # This module has no such text, which might be the name of a variable.
    monkeypatch.setattr(np, "_".join(["clip", "limit"]), contrast.getClipLimit, raising=False)
    with warnings.catch_warnings(), flow_with(lambda x: x + 1) as it:
        warnings.filterwarnings("error", message=STAYS)
        assert seen_by(it) == VALUE + 1


def test_what_modules_have_of_their_own_stays_there() -> None:
    """The state of `random` is no variable that a program assigns, nor is a table of a module."""

    def hook(x: Any) -> Any:
        return random.uniform(0, 1) + random.random() + len(Image.EXTENSION) + np.sin(x) + np.pi

    found = patches(spaces_of([hook]))
    assert found.get("random", {}).keys() <= {"random"}
    assert "EXTENSION" not in found.get("PIL.Image", {})
    for name, values in found.items():
        for attribute, pickled in values.items():
            assert pickle.loads(pickled) is not None
            assert len(pickled) < 200, (name, attribute)


def test_a_worker_of_two_iterators_assigns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(math, "tau", 4.0)
    given = {"math": {"tau": pickle.dumps([5.0])}}
    assign_patches(given, "math")
    first = math.tau
    assign_patches(given, "math")
    assert math.tau is first
    monkeypatch.setattr(math, "tau", 4.0)  # as after `importlib.reload`
    assign_patches(given, "math")
    assert math.tau == [5.0]
