"""The signature, its documentation, the attributes, the record and the state name the same options."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from typing import Any, Final

import pytest

from imageloom import ImageDataGenerator
from imageloom._imaging.normalise import FeatureStatistics
from imageloom._options import OPTION_NAMES, GeneratorOptions, TransformOptions
from imageloom._stream.state import IRRELEVANT_OPTIONS, described

FIELDS: Final = {field.name: field for field in dataclasses.fields(GeneratorOptions)}
SIGNATURE: Final = inspect.signature(ImageDataGenerator).parameters
# Keras' own settings stand in for None, which the record never holds.
RESOLVED: Final = {"data_format": "channels_last", "dtype": "float32"}


def test_the_signature_is_the_record() -> None:
    assert list(SIGNATURE) == list(FIELDS) == list(OPTION_NAMES)


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_defaults_agree(name: str) -> None:
    given, kept = SIGNATURE[name].default, FIELDS[name].default
    if name in RESOLVED:
        assert given is None
        given = RESOLVED[name]
    assert given == kept
    assert type(given) is type(kept)


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_types_agree(name: str) -> None:
    """The attribute's type is the record's; the constructor takes paths and None beside it."""
    attribute = ImageDataGenerator.__annotations__[name]
    kept = str(FIELDS[name].type).replace("Hook", "Callable[..., Any]")
    assert attribute == kept
    taken = str(SIGNATURE[name].annotation).replace("str | os.PathLike[str]", "str")
    assert taken in (kept, f"{kept} | None" if name in RESOLVED else kept)


def test_the_documentation_describes_them_in_order() -> None:
    text = inspect.getdoc(ImageDataGenerator) or ""
    arguments = text.partition("Args:\n")[2].partition("\n\n")[0]
    assert re.findall(r"^    (\w+):", arguments, re.MULTILINE) == list(OPTION_NAMES)


def test_attributes_show_them() -> None:
    generator = ImageDataGenerator()
    for name in OPTION_NAMES:
        assert hasattr(generator, name)
    assert generator._options() == GeneratorOptions()


def test_a_state_names_all_that_decide_about_values() -> None:
    nothing = FeatureStatistics(mean=None, std=None, zca_whitening_matrix=None)
    named = {n for n in described(GeneratorOptions(), nothing) if not n.startswith("fitted ")}
    assert named | IRRELEVANT_OPTIONS == set(OPTION_NAMES)
    assert not named & IRRELEVANT_OPTIONS


def test_the_transform_group_is_made_of_them() -> None:
    own = {"corrected_geometry"}  # what `geometry` says
    assert {field.name for field in dataclasses.fields(TransformOptions)} - own <= set(OPTION_NAMES)


def test_options_are_checked_once_after_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = ImageDataGenerator(rotation_range=10)
    checks = 0

    def counting(self: GeneratorOptions) -> None:
        nonlocal checks
        checks += 1
        original(self)

    original = GeneratorOptions.__post_init__
    monkeypatch.setattr(GeneratorOptions, "__post_init__", counting)
    image: Any = pytest.importorskip("numpy").zeros((8, 8, 3), "float32")
    generator.random_transform(image, seed=1)
    generator.random_transform(image, seed=2)
    assert checks == 0  # they were checked when it was made
    generator.rotation_range = 20
    generator.random_transform(image, seed=1)
    generator.random_transform(image, seed=2)
    assert checks == 1
    generator.fill_mode = "nowhere"
    with pytest.raises(ValueError, match="fill_mode"):
        generator.random_transform(image, seed=1)


def test_annotations_can_be_resolved() -> None:
    module = inspect.getmodule(ImageDataGenerator.__init__)
    hints = typing.get_type_hints(ImageDataGenerator.__init__, vars(module))
    assert set(hints) - {"return"} == set(OPTION_NAMES)
