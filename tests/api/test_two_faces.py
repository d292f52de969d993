"""`ImageDataGenerator` is Keras' class, `ParallelImageDataGenerator` MLTK's, over one engine."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import SIZE
from reference import keras_generator

from imageloom import ImageDataGenerator, ParallelImageDataGenerator, _machine

FLOWS = ("flow", "flow_from_directory", "flow_from_dataframe")


def positional(function: Any) -> list[tuple[str, Any]]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.default) for p in parameters if p.kind in kinds]


def test_the_constructor_has_keras_arguments_in_keras_order() -> None:
    of_keras = positional(type(keras_generator()).__init__)
    assert positional(ImageDataGenerator.__init__) == of_keras


@pytest.mark.parametrize("name", FLOWS)
def test_flow_methods_have_keras_arguments_in_keras_order(name: str) -> None:
    of_keras = positional(getattr(type(keras_generator()), name))
    assert positional(getattr(ImageDataGenerator, name)) == of_keras


def test_positional_arguments_mean_what_they_mean_in_keras() -> None:
    values = [False, True, False, True, False, 1e-5, 20, 0.1, 3, (0.5, 1.5), 5.0, 0.2, 9.0, "wrap", 7.0]
    values += [True, True, 0.5, None, "channels_first", 0.25, 0, "float64"]
    ours, theirs = ImageDataGenerator(*values), type(keras_generator())(*values)
    for name, _ in positional(ImageDataGenerator.__init__)[1:]:
        given = getattr(theirs, name, getattr(theirs, f"_{name}", None))
        np.testing.assert_equal(np.asarray(getattr(ours, name)), np.asarray(given), err_msg=name)


def test_the_other_face_is_keyword_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        ParallelImageDataGenerator(True)  # type: ignore[misc]
    parameters = inspect.signature(ParallelImageDataGenerator).parameters
    assert set(parameters) == set(inspect.signature(ImageDataGenerator).parameters)
    assert parameters["cores"].default == 0.25


def test_both_are_one_kind_of_generator() -> None:
    assert issubclass(ParallelImageDataGenerator, ImageDataGenerator)


@pytest.mark.parametrize(("cpus", "workers"), [(1, 1), (2, 2), (8, 8), (16, 16), (64, 16)])
def test_a_newcomer_gets_the_whole_machine(
    cpus: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_machine, "available_cpus", lambda: cpus)
    assert ImageDataGenerator().cores is None
    assert _machine.worker_count(None) == workers
    assert _machine.worker_count(-1) == cpus


@pytest.mark.parametrize(
    ("kind", "interpolation"),
    [(ImageDataGenerator, "nearest"), (ParallelImageDataGenerator, "bilinear")],
)
def test_folders_are_resized_as_each_class_does(
    kind: type[ImageDataGenerator], interpolation: str, crops: Path
) -> None:
    with kind(executor="serial").flow_from_directory(crops, SIZE, shuffle=False) as it:
        assert it.interpolation == interpolation
        plain = kind(executor="serial").flow_from_directory(
            crops, SIZE, shuffle=False, interpolation=interpolation
        )
        np.testing.assert_array_equal(it[0][0], plain[0][0])


def test_pixels_of_a_folder_are_keras_by_default(crops: Path) -> None:
    theirs = keras_generator().flow_from_directory(crops, SIZE, shuffle=False)
    with ImageDataGenerator(executor="serial").flow_from_directory(crops, SIZE, shuffle=False) as ours:
        np.testing.assert_array_equal(next(ours)[0], next(theirs)[0])


@pytest.mark.parametrize("kind", [ImageDataGenerator, ParallelImageDataGenerator])
def test_the_name_that_was_used_is_shown(kind: type[ImageDataGenerator]) -> None:
    class OfAUser(kind):  # type: ignore[misc, valid-type]
        pass

    assert repr(kind()).startswith(f"{kind.__name__}()")
    assert repr(OfAUser()).startswith("OfAUser()")
