from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # before anything imports Keras
# torch 2.4 starts processes for its compiler as soon as that is imported, and keeps them.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

import hypothesis
import numpy as np
import pytest
from pictures import Pixels, photograph, write_class_folder

pytest_plugins = [
    "frameworks",
    "executor_support",
    "index_support",
    "spoilt_images",
    "cache_support",
    "mask_support",
    "ray_support",
    "s3_support",
    "leaks",
]

# The same examples in every run: a red build is to be red again on the next machine.
hypothesis.settings.register_profile(
    "imageloom", deadline=None, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.load_profile("imageloom")


# Where `make quick` sees worker processes at work.
QUICK_WITH_PROCESSES = ("test_executor_contract", "test_hooks_in_workers", "test_cache_files")


# Where Ray itself is the subject, and all variants with it run each time.
ABOUT_RAY = ("test_executor_contract", "test_ray", "test_large_globals")
VARIANTS_WITH_RAY = 2  # of each other test


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks variants of tests by their executors.

    Hundreds have worker processes, and take a second each: slow. Variants with Ray take up to 20, and
    go through the same code as those with processes, but for the way to the workers: the first of
    each test run each time, and the others with the long tests.
    """
    with_ray: Counter[str] = Counter()
    for item in items:
        executors = _executors_of(item)
        if "processes" in executors and item.path.stem not in QUICK_WITH_PROCESSES:
            item.add_marker(pytest.mark.slow)
        if "ray" in executors and item.path.stem not in ABOUT_RAY:
            test = item.nodeid.partition("[")[0]
            with_ray[test] += 1
            if with_ray[test] > VARIANTS_WITH_RAY:
                item.add_marker(pytest.mark.long)


def _executors_of(item: pytest.Item) -> set[str]:
    call = getattr(item, "callspec", None)
    values = [] if call is None else list(call.params.values())
    values += [one for value in values if isinstance(value, tuple) for one in value]
    return {"processes", "ray"}.intersection(value for value in values if isinstance(value, str))


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache directory of all tests, and of the programs that they start."""
    folder = tmp_path_factory.mktemp("cache of the user")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGELOOM_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def class_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set of photographs, read-only by agreement."""
    return write_class_folder(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="session")
def colour_photo() -> Pixels:
    return photograph("coffee", 90, 120)


@pytest.fixture(scope="session")
def grey_photo() -> Pixels:
    return photograph("coins", 90, 120)


@pytest.fixture
def global_numpy_state() -> Iterator[None]:
    """Lets a test seed NumPy's global generator without consequences for the others."""
    state = np.random.get_state()
    yield
    np.random.set_state(state)
