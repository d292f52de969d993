"""`save_to_dir` in the background, against Keras: the files of the batches that were handed out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import wait_for
from PIL import Image
from ray_support import needs_ray, ray_on_two_cpus
from reference import keras_generator, quiet

from imageloom import ImageDataGenerator

__all__ = ["ray_on_two_cpus"]

AUGMENTED: dict[str, Any] = {"rotation_range": 30, "horizontal_flip": True, "interpolation_order": 0}
EXECUTORS = ["serial", "threads", "processes", pytest.param("ray", marks=needs_ray)]
pytestmark = pytest.mark.filterwarnings("ignore:Keras exchanges two axes")


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> str:
    if request.param == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    return str(request.param)


def pixels(count: int) -> Any:
    return np.random.RandomState(3).uniform(0, 255, (count, 12, 12, 3)).astype("float32")


def of_one_array(generator: Any, folder: Path, **options: Any) -> Any:
    return generator.flow(pixels(1), batch_size=1, **options)


def of_arrays(generator: Any, folder: Path, **options: Any) -> Any:
    return generator.flow(pixels(7), np.arange(7), batch_size=3, **options)


def of_files(generator: Any, folder: Path, **options: Any) -> Any:
    how: dict[str, Any] = {"target_size": (20, 20), "batch_size": 4, "interpolation": "nearest"}
    return generator.flow_from_directory(str(folder), **how, **options)


def of_unlabelled_files(generator: Any, folder: Path, **options: Any) -> Any:
    return of_files(generator, folder, class_mode=None, **options)


def ready(iterator: Any) -> None:
    """Waits until all that is computed ahead is finished, so that a worker would have saved it."""
    stream = iterator._stream.supply._stream
    wait_for(lambda: all(f.done() for f in tuple(stream._window.values())), "the batches ahead")


CASES: list[tuple[Callable[..., Any], int, dict[str, Any]]] = [
    (of_one_array, 15, {}),
    (of_arrays, 8, {"save_prefix": "aug", "save_format": "png"}),
    (of_files, 7, {"save_prefix": "ü", "save_format": "jpg"}),
    (of_unlabelled_files, 3, {"save_format": "jpeg", "shuffle": False}),
]


@pytest.mark.parametrize(("flow", "count", "options"), CASES, ids=lambda v: getattr(v, "__name__", ""))
def test_the_files_are_those_of_keras(
    flow: Any, count: int, options: dict[str, Any], executor: str, class_folder: Path, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    expected = flow(
        keras_generator(**AUGMENTED), class_folder, save_to_dir=str(theirs), seed=4, **options
    )
    generator = ImageDataGenerator(executor=executor, cores=2, max_batches_pending=3, **AUGMENTED)
    with flow(generator, class_folder, save_to_dir=ours, seed=4, **options) as iterator:
        assert not list(ours.iterdir())
        for number in range(count):
            next(iterator)
            with quiet():
                next(expected)
            if number in (0, count - 1):
                ready(iterator)
            assert names_in(ours) == names_in(theirs)
    assert names_in(ours) == names_in(theirs)
    for path in theirs.iterdir():
        with Image.open(path) as wanted, Image.open(ours / path.name) as image:
            assert (image.mode, image.size, image.format) == (wanted.mode, wanted.size, wanted.format)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_fifteen_of_one_image_are_fifteen_files(executor: str, tmp_path: Path) -> None:
    generator = ImageDataGenerator(executor=executor, cores=2, **AUGMENTED)
    with generator.flow(pixels(1), batch_size=1, save_to_dir=tmp_path, seed=1) as iterator:
        for _ in range(15):
            next(iterator)
        ready(iterator)
        assert len(names_in(tmp_path)) == 15
    assert len(names_in(tmp_path)) == 15
