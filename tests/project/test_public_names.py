"""Every public name is documented: classes, methods, attributes, parameters, errors, options."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest

import imageloom
from imageloom import ImageDataGenerator
from imageloom._cli import main

# `ResumeCallback` is a class of Keras', and looked at like all others.
pytestmark = pytest.mark.frameworks("keras")

PACKAGE = "imageloom"
SECTION = re.compile(r"^(\w+):\n((?:(?: {4}.*)?\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*):", re.MULTILINE)
NOT_OURS = {"self", "logs", "epoch", "batch"}  # the latter are what Keras calls a callback with


@cache
def sections(text: str) -> dict[str, set[str]]:
    """Section of a docstring -> the names that it describes."""
    found: dict[str, set[str]] = {}
    for title, body in SECTION.findall(inspect.cleandoc(text) + "\n"):
        names = {name for entry in ENTRY.findall(body) for name in re.findall(r"\w+", entry)}
        found[title] = found.get(title, set()) | names
    return found


def own_mro(owner: type) -> list[type]:
    return [cls for cls in owner.__mro__ if cls.__module__.split(".")[0] == PACKAGE]


def public_classes() -> list[type]:
    """Each once: some have two names."""
    values = (getattr(imageloom, name) for name in imageloom.__all__)
    return list(dict.fromkeys(v for v in values if isinstance(v, type)))


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties, also inherited ones, but of ours alone."""
    seen = set()
    for cls in own_mro(owner):
        for name, value in vars(cls).items():
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            member = getattr(value, "__func__", value)  # of class methods and static ones
            if inspect.isfunction(member) or isinstance(member, property):
                yield name, member


def callables() -> dict[str, Any]:
    """Public functions, and methods of public classes, by their dotted names; each once."""
    found: dict[str, Any] = {}
    for name in imageloom.__all__:
        value = getattr(imageloom, name)
        if inspect.isfunction(value):
            found[name] = value
    for owner in public_classes():
        for name, value in members(owner):
            if inspect.isfunction(value) and value not in found.values():
                found[f"{owner.__name__}.{name}"] = value
    return found


CALLABLES = callables()


def test_what_is_walked() -> None:
    names = {cls.__name__ for cls in public_classes()}
    assert {"ParallelImageDataGenerator", "DirectoryIterator", "Noise", "BadImageError"} <= names
    assert {"load_img", "ImageDataGenerator.flow", "BatchIterator.state_dict"} <= set(CALLABLES)
    assert sections(
        "Text.\n\nArgs:\n    one: first\n        more: no\n    two, *three: x\n\nReturns:\n    four: y"
    ) == {
        "Args": {"one", "two", "three"},
        "Returns": {"four"},
    }


@pytest.mark.parametrize("owner", public_classes(), ids=lambda owner: owner.__name__)
def test_classes_and_their_members_have_docstrings(owner: type) -> None:
    assert owner.__doc__
    missing = [name for name, value in members(owner) if not inspect.getdoc(value)]
    assert missing == []


@pytest.mark.parametrize("name", CALLABLES)
def test_parameters_are_described(name: str) -> None:
    function = CALLABLES[name]
    text = inspect.getdoc(function)
    assert text
    parameters = set(inspect.signature(function).parameters) - NOT_OURS
    described = sections(text).get("Args", set())
    if described:
        assert described == parameters
    else:  # one or two are told of in a sentence
        words = set(re.findall(r"\w+", text))
        assert len(parameters) <= 2, f"{sorted(parameters)} have no section `Args`"
        assert parameters <= words


def constructor_arguments(owner: type) -> set[str]:
    return set(inspect.signature(owner).parameters)


@pytest.mark.parametrize("owner", public_classes(), ids=lambda owner: owner.__name__)
def test_arguments_of_constructors_are_described(owner: type) -> None:
    mro = own_mro(owner)
    # A class that has a constructor of its own describes all of its arguments.
    until = next((i for i, cls in enumerate(mro) if "__init__" in vars(cls)), len(mro) - 1)
    described = set().union(
        *(sections(cls.__doc__ or "").get("Args", set()) for cls in mro[: until + 1])
    )
    if described:
        assert described == constructor_arguments(owner)


def raised(function: Any) -> set[str]:
    """Names of our errors that stand in `raise` statements of a function."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = [
        node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None
    ]
    names = [ast.unparse(call.func if isinstance(call, ast.Call) else call) for call in calls]
    return {name for name in names if name in imageloom.__all__}


@pytest.mark.parametrize("name", CALLABLES)
def test_errors_are_described(name: str) -> None:
    function = CALLABLES[name]
    assert raised(function) <= sections(inspect.getdoc(function) or "").get("Raises", set())


# Attributes


@pytest.fixture(scope="module")
def instances(crops: Path) -> dict[str, Any]:
    """One of each class whose objects users get, as they get it."""
    generator = ImageDataGenerator(executor="serial")
    frame = pd.DataFrame(
        {"filename": ["cat/00.jpg", "cup/00.jpg"], "class": ["cat", "cup"], "w": [1, 2]}
    )
    images = np.zeros((2, 8, 8, 3), np.uint8)
    return {
        "generator": generator,
        "directory": generator.flow_from_directory(crops),
        "dataframe": generator.flow_from_dataframe(frame, crops, weight_col="w"),
        "array": generator.flow((images, np.zeros(2)), [0, 1]),
    }


@pytest.mark.parametrize("kind", ["generator", "directory", "dataframe", "array"])
def test_attributes_are_described(instances: dict[str, Any], kind: str) -> None:
    value = instances[kind]
    owner = type(value)
    texts = [sections(cls.__doc__ or "") for cls in own_mro(owner)]
    described = set().union(
        *(text.get("Attributes", set()) | text.get("Args", set()) for text in texts)
    )
    described |= {name for name, _ in members(owner)}
    public = {name for name in dir(value) if not name.startswith("_")}
    assert sorted(public - described) == []
    own = set().union(*(text.get("Attributes", set()) for text in texts))
    assert own - public == set(), "described, but not there"


# The command line


def commands(command: click.Command, path: str = "imageloom") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from commands(one, f"{path} {name}")


COMMANDS = dict(commands(main))


@pytest.mark.parametrize("path", COMMANDS)
def test_commands_and_options_have_help(path: str) -> None:
    command = COMMANDS[path]
    assert command.help
    without = [
        parameter.name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert without == []
