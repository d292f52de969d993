"""What editors show of the interface: completions, signatures and docstrings, and forms that agree."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_overloads

import jedi
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import imageloom
from imageloom import ImageDataGenerator

SOURCES = Path(imageloom.__file__).resolve().parents[1]
START = """\
from imageloom import ImageDataGenerator
gen = ImageDataGenerator(cores=2)
it = gen.flow_from_directory("photos")
x, y = next(it)
"""


@pytest.fixture(scope="module")
def project() -> jedi.Project:
    return jedi.Project(SOURCES)


def completions(project: jedi.Project, code: str) -> list[str]:
    """What stands in the list that opens at the end of the code."""
    return [found.name for found in script_of(code, project).complete()]


def script_of(code: str, project: jedi.Project) -> jedi.Script:
    """Looked at in this process: by default jedi starts another, and leaves it."""
    return jedi.Script(code, project=project, environment=jedi.InterpreterEnvironment())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import imageloom\nimageloom.ImageD", ["ImageDataGenerator"]),
        ("import imageloom\nimageloom.load", ["load_img"]),
        (START + "gen.flow_from_d", ["flow_from_dataframe", "flow_from_directory"]),
        (START + "gen.rotation", ["rotation_range"]),
        (START + "gen.flow_from_directory('a', target", ["target_size="]),
        (START + "it.class_", ["class_indices", "class_mode", "class_weights"]),
        (START + "it.state", ["state_dict"]),
        (START + "y.argma", ["argmax"]),
    ],
)
def test_names_are_completed(project: jedi.Project, code: str, expected: list[str]) -> None:
    assert completions(project, code) == expected


@pytest.mark.slow
def test_signatures_and_docstrings_show(project: jedi.Project) -> None:
    script = script_of(START + "gen.flow_from_directory(", project)
    forms = script.get_signatures()
    assert len(forms) == len(get_overloads(ImageDataGenerator.flow_from_directory))
    shown = forms[0].to_string()
    assert "target_size: tuple[int, int]=(256, 256)" in shown
    assert 'class_mode: Literal["categorical", "binary"' in shown
    assert "keep_aspect_ratio: crop" in forms[0].docstring()
    script = script_of(START + "ImageDataGenerator(", project)
    (constructor,) = script.get_signatures()
    assert "rotation_range: float=0" in constructor.to_string()


# The forms of the flow methods that type checkers tell apart

METHODS = ["flow", "flow_from_directory", "flow_from_dataframe"]
# What a form may narrow.
TELLING = {
    "x", "y", "sample_weight", "class_mode", "y_col", "weight_col",
    "list_valid_filenames_in_directory_function",
}  # fmt: skip


def forms(method: str) -> list[Any]:
    found = get_overloads(getattr(ImageDataGenerator, method))
    assert len(found) >= 3
    return list(found)


@pytest.mark.parametrize("method", METHODS)
def test_forms_agree_with_the_method(method: str) -> None:
    parameters = inspect.signature(getattr(ImageDataGenerator, method)).parameters
    for form in forms(method):
        own = inspect.signature(form).parameters
        assert list(own) == list(parameters)
        for name, parameter in own.items():
            true = parameters[name]
            assert parameter.kind is true.kind, name
            if name in TELLING:
                assert parameter.default in (true.default, ...), name
            else:
                assert parameter.replace() == true, name
    # A default is either the true one, or that of a form which a call without the argument never gets.
    first = inspect.signature(forms(method)[0]).parameters
    assert all(parameter.default is not ... for parameter in first.values())


def kind_of(batch: Any) -> str:
    """The batch, in the words of an annotation."""
    if isinstance(batch, (tuple, list)):
        inside = [kind_of(part) for part in batch]
        if isinstance(batch, tuple):
            return f"tuple[{', '.join(inside)}]"
        assert len(set(inside)) == 1
        return f"list[{inside[0]}]"
    if isinstance(batch, dict):
        (kind,) = {kind_of(part) for part in batch.values()}
        return f"dict[str, {kind}]"
    assert isinstance(batch, np.ndarray)
    return "NDArray[Any]"


IMAGES: NDArray[Any] = np.zeros((4, 8, 8, 3), np.uint8)
# One call for each form, in their order; None where the type says nothing.
CALLS: dict[str, list[dict[str, Any] | None]] = {
    "flow": [
        None,
        {"x": IMAGES},
        {"x": IMAGES, "y": [0, 1, 0, 1]},
        {"x": IMAGES, "y": [0, 1, 0, 1], "sample_weight": [1, 2, 3, 4]},
        None,
    ],
    "flow_from_directory": [{}, {"class_mode": None}, None],
    "flow_from_dataframe": [
        {},
        {"weight_col": "w"},
        {"class_mode": "image", "y_col": "mask"},
        {"class_mode": "multi_output", "y_col": ["w", "v"]},
        {"class_mode": "boxes", "y_col": ["w", "v", "wide", "high"]},
        {"class_mode": None, "weight_col": "w"},
        None,
    ],
}


@pytest.mark.parametrize("method", METHODS)
def test_forms_say_what_batches_are(crops: Path, method: str) -> None:
    names = ["cat/00.jpg", "cup/00.jpg"]
    frame = pd.DataFrame(
        {"filename": names, "class": ["cat", "cup"], "w": [1, 2], "v": [3, 4], "mask": names}
    ).assign(wide=9, high=9)
    places: dict[str, tuple[Any, ...]] = {
        "flow": (),
        "flow_from_directory": (crops,),
        "flow_from_dataframe": (frame, crops),
    }
    generator = ImageDataGenerator(executor="serial")
    for form, call in zip(forms(method), CALLS[method], strict=True):
        promised = str(inspect.signature(form).return_annotation).partition("[")[2][:-1]
        if call is None:
            assert promised == "Any"
            continue
        iterator = getattr(generator, method)(*places[method], **call)
        assert kind_of(iterator._empty_batch()) == promised


@pytest.mark.parametrize("mode", ["categorical", "binary", "sparse", "input"])
def test_class_modes_of_one_form(crops: Path, mode: str) -> None:
    generator = ImageDataGenerator(executor="serial")
    iterator = generator.flow_from_directory(crops, class_mode=mode, classes=["cat", "cup"])
    assert kind_of(iterator._empty_batch()) == "tuple[NDArray[Any], NDArray[Any]]"
    frame = pd.DataFrame({"filename": ["cat/00.jpg", "cup/00.jpg"], "class": ["cat", "cup"]})
    framed = generator.flow_from_dataframe(frame, crops, class_mode=mode)
    assert kind_of(framed._empty_batch()) == "tuple[NDArray[Any], NDArray[Any]]"


@pytest.mark.parametrize("mode", ["raw", "keypoints"])
def test_class_modes_of_one_form_of_data_frames(crops: Path, mode: str) -> None:
    frame = pd.DataFrame({"filename": ["cat/00.jpg", "cup/00.jpg"], "w": [1, 2], "v": [3, 4]})
    framed = ImageDataGenerator(executor="serial").flow_from_dataframe(
        frame, crops, y_col=["w", "v"], class_mode=mode
    )
    assert kind_of(framed._empty_batch()) == "tuple[NDArray[Any], NDArray[Any]]"
