"""What is public says so, and nothing else can be taken for it."""

from __future__ import annotations

import pickle
import pkgutil
import subprocess
import sys

import pytest

import imageloom

# Machinery that once was public, by the class that has it.
MACHINERY = (
    "recipe",
    "source",
    "empty_batch",
    "frozen",
    "described",
    "for_sample",
    "one_pass",
    "settings",
)
CLASSES = ("ImageDataGenerator", "BatchIterator", "DirectoryIterator", "ParallelProcessParams")


def test_modules_beneath_the_package_are_marked_as_private() -> None:
    names = [module.name for module in pkgutil.iter_modules(imageloom.__path__)]
    assert names
    # The only module that users import, because Keras has one of that name.
    assert [name for name in names if not name.startswith("_")] == ["image"]


NEEDS_KERAS = {"ResumeCallback": pytest.mark.frameworks("keras")}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=NEEDS_KERAS.get(name, ())) for name in imageloom.__all__]
)
def test_public_names_come_from_the_package(name: str) -> None:
    thing = getattr(imageloom, name)
    assert thing.__module__ == "imageloom"
    assert pickle.loads(pickle.dumps(thing)) is thing


@pytest.mark.parametrize("name", ["BatchIterator", "Report", "BadImage", "DirectoryIterator"])
def test_what_methods_return_can_be_named(name: str) -> None:
    assert name in imageloom.__all__


@pytest.mark.parametrize("owner", CLASSES)
@pytest.mark.parametrize("name", MACHINERY)
def test_machinery_is_no_public_method(owner: str, name: str) -> None:
    assert not hasattr(getattr(imageloom, owner), name)


def test_all_is_sorted_and_complete() -> None:
    assert list(imageloom.__all__) == sorted(set(imageloom.__all__))
    assert set(imageloom.__all__) <= set(dir(imageloom))


@pytest.mark.parametrize("name", ["ParallelProcessParams", "Report", "BadImage", "Noise"])
def test_records_are_unpickled_without_the_generator(name: str) -> None:
    """A worker meets them by their public names, and must not load what only users need."""
    blob = pickle.dumps(getattr(imageloom, name))
    program = (
        f"import pickle, sys; pickle.loads({blob!r}); "
        "print(sorted({'imageloom._api.generator', 'pandas', 'keras', 'cv2'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"
