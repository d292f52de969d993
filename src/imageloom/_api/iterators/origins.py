"""What an iterator was made with, as plain JSON, so that it can be made again elsewhere.

A state carries it beside the position. Functions, arrays and data frames are not data of this kind;
they are named, so that whoever rebuilds the iterator can say what is missing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import os
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

import numpy as np

from imageloom._adapters.applications import ImageNetScaling, scaling_of_model, stand_in
from imageloom._api.planning import FrozenGenerator
from imageloom._errors import InvalidArgumentError
from imageloom._options import GeneratorOptions, Noise
from imageloom._stream.order import OrderOptions
from imageloom._stream.state import IRRELEVANT_OPTIONS

__all__ = ["Made", "check_names", "decoded", "encoded", "origin", "remembered", "remembering"]

P = ParamSpec("P")
S = TypeVar("S")
R = TypeVar("R")
_PACKAGE: Final = __name__.partition(".")[0]
# Options that change the data or the batches although states are not compared by them.
_OF_DATA: Final = frozenset(
    {
        "fold", "groups", "max_samples_per_class", "on_bad_image", "split", "split_seed",
        "validation_split",
    }
)  # fmt: skip
_PLAIN: Final = frozenset({bool, float, int, str, type(None)})
_LONGEST: Final = 80  # name of a function, in characters
_HOOKS: Final = ("preprocessing_function", "noaug_preprocessing_function")
_UNTOLD: Final = IRRELEVANT_OPTIONS - _OF_DATA
# Arguments that change no batch, or that are in the state by other ways.
_LEFT_OUT: Final = frozenset(
    {
        "class_counts", "image_data_generator", "save_format", "save_prefix", "save_to_dir", "seed",
        "verbose",
    }
)  # fmt: skip


class _NotPlainError(Exception):
    """A value that JSON cannot have."""


_NO_DATA: Final = object()  # in the place of one


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """The arguments that an iterator was made with; few are asked for, so they are sorted then.

    Attributes:
        given: each by its name, encoded for JSON; `_NO_DATA` in the place of what is not plain.
        names: all parameters, in their order.
        optional: those whose default is None.
        flow: the flow method that has got them; "" for the constructor of the iterator.
        missing: those of them that only the memory of the program has.
    """

    given: Mapping[str, Any]
    names: Sequence[str]
    optional: Set[str]
    flow: str = ""
    missing: Sequence[str] = ()

    @property
    def arguments(self) -> dict[str, Any]:
        """Those that are plain."""
        return {name: self.given[name] for name in self._counted() if self.given[name] is not _NO_DATA}

    @property
    def others(self) -> tuple[str, ...]:
        """The names of the other ones."""
        without = (name for name in self._counted() if self.given[name] is _NO_DATA)
        return (*self.missing, *without)

    def _counted(self) -> Iterator[str]:
        for name in self.names:
            usual = name in self.optional and self.given.get(name) is None
            if name in self.given and not usual and name not in (*_LEFT_OUT, *self.missing):
                yield name


def remembering(
    init: Callable[Concatenate[S, P], None],
) -> Callable[Concatenate[S, P], None]:
    """Makes a constructor keep its arguments in `_made`; what is not plain is kept by name only."""
    _, *parameters = inspect.signature(init).parameters.values()
    names = [parameter.name for parameter in parameters]
    optional = frozenset(parameter.name for parameter in parameters if parameter.default is None)

    @functools.wraps(init)
    def remembered(self: S, *args: P.args, **kwargs: P.kwargs) -> None:
        init(self, *args, **kwargs)
        # `Signature.bind` takes longer than a small batch; `init` has found the arguments right.
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        object.__setattr__(self, "_made", Made(_kept(given), names, optional))

    return cast("Callable[Concatenate[S, P], None]", remembered)


def remembered(
    **places: Callable[[Any], Any],
) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]:
    """Makes a flow method give its iterator the arguments, for flows whose iterators get none of them.

    Args:
        places: for the argument that the data are, what it becomes in a state; None for what exists in
            the memory of the program only.
    """

    def remembering_flow(flow: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
        _, *parameters = inspect.signature(flow).parameters.values()
        names = [parameter.name for parameter in parameters]
        usual = {each.name: each.default for each in parameters if each.default is not each.empty}
        optional = frozenset(name for name, value in usual.items() if value is None)

        @functools.wraps(flow)
        def flowing(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
            iterator = flow(self, *args, **kwargs)
            given = {**usual, **dict(zip(names, args, strict=False)), **kwargs}
            given |= {name: place(given[name]) for name, place in places.items()}
            missing = [name for name in places if given[name] is None]
            made = Made(_kept(given), names, optional, flow.__name__, missing)
            iterator._made = made  # type: ignore[attr-defined]
            return iterator

        return cast("Callable[Concatenate[S, P], R]", flowing)

    return remembering_flow


def _kept(given: dict[str, Any]) -> Mapping[str, Any]:
    """The arguments, encoded in place, without the data."""
    for name in [name for name, value in given.items() if type(value) not in _PLAIN]:
        value, given[name] = given[name], _NO_DATA
        if name not in _LEFT_OUT and not isinstance(value, np.ndarray):
            with contextlib.suppress(_NotPlainError):
                given[name] = encoded(value)
    return given


def origin(
    iterator: Any, made: Made | None, frozen: FrozenGenerator, order: OrderOptions, settings: Any
) -> dict[str, Any]:
    """What `imageloom replay` and `imageloom verify` make an iterator of, as plain JSON.

    Attributes of the iterator that were assigned since take the place of its arguments.

    Args:
        iterator: the iterator.
        made: what its constructor or flow method was given; None if that was not one of this library.
        frozen: its generator.
        order: the arguments about the order of samples.
        settings: the checked arguments of the flow method.
    """
    kind = next(filter(_is_own, type(iterator).__mro__), None)
    scalings, code = _functions(frozen.options)
    code += sorted(f"the method {name}" for name in frozen.overrides)
    if kind is not type(iterator):
        code.append(f"the class {type(iterator).__name__}")
    arguments = made.arguments if made is not None else {}
    if arguments:
        names = {field.name for field in dataclasses.fields(settings)} - _LEFT_OUT - {"batch_shape"}
        present = {name: getattr(settings, name) for name in sorted(names & arguments.keys())}
        present |= {"shuffle": order.shuffle, "shard": order.shard}
        arguments |= {name: encoded(value) for name, value in present.items()}
        arguments["batch_size"] = iterator.batch_size
    if isinstance(arguments.get("directory"), str) and "://" not in arguments["directory"]:
        arguments["directory"] = os.path.abspath(arguments["directory"])
    # Workers do not need `groups`, so the frozen options lack it.
    generator = getattr(iterator, "image_data_generator", None)
    groups = getattr(generator, "groups", None)
    options, others = _options(dataclasses.replace(frozen.options, groups=groups))
    return {
        "iterator": "" if kind is None else (made and made.flow) or kind.__name__,
        "arguments": arguments,
        "options": {**options, **scalings},
        "missing": [*code, *others, *(made.others if made is not None else ())],
    }


def _is_own(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == _PACKAGE


def _functions(options: GeneratorOptions) -> tuple[dict[str, Any], list[str]]:
    """The hooks that are a known `preprocess_input`, encoded; and the other functions, in words."""
    scalings: dict[str, Any] = {}
    others = []
    for name in (*_HOOKS, "get_batch_function"):
        function = getattr(options, name)
        if function is None:
            continue
        scaling = stand_in(function) if isinstance(function, types.FunctionType) else function
        if not isinstance(scaling, ImageNetScaling) or name not in _HOOKS:
            others.append(f"{name} ({_name_of(function)})")
        else:
            scalings[name] = encoded(scaling)
    return scalings, others


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    for named in (function, type(function)):
        # Objects of the user may do anything when they are asked for an attribute.
        with contextlib.suppress(Exception):
            if isinstance(named.__qualname__, str) and isinstance(named.__module__, str):
                return f"{named.__module__}.{named.__qualname__}"[:_LONGEST]
    return "a function"


def check_names(arguments: Iterable[str], options: Iterable[str]) -> None:
    """Refuses what no state has, such as a folder to write to.

    Raises:
        InvalidArgumentError: an argument or option would only change who computes, or what is written.
    """
    for name in (*_LEFT_OUT.intersection(arguments), *_UNTOLD.difference(_HOOKS).intersection(options)):
        raise InvalidArgumentError(f"The state is damaged: it has {name!r}, which no state has.")


def _options(options: GeneratorOptions) -> tuple[dict[str, Any], list[str]]:
    """The options that differ from the defaults and change batches or data; and those not plain."""
    usual = GeneratorOptions()
    found, others = {}, []
    for field in dataclasses.fields(options):
        if field.name in _UNTOLD:
            continue
        try:
            value = encoded(getattr(options, field.name))
            if value != encoded(getattr(usual, field.name)):
                found[field.name] = value
        except _NotPlainError:
            value = getattr(options, field.name)
            others.append(f"{field.name} ({_name_of(value)})" if callable(value) else field.name)
    return found, others


def encoded(value: Any) -> Any:
    """A value as JSON can have it, from which `decoded` makes the same again.

    Raises:
        _NotPlainError: it is a function, an array, or another object.
    """
    if type(value) in _PLAIN:  # most are; the rest of this takes long beside a small flow
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [encoded(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encoded(item) for item in value]}
    if isinstance(value, (Noise, ImageNetScaling)):
        return _record(value)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encoded(item) for key, item in value.items()}}
    raise _NotPlainError


def _record(value: Noise | ImageNetScaling) -> dict[str, Any]:
    if isinstance(value, Noise):
        return {"noise": dataclasses.asdict(value)}
    scaling = {"model": value.model, "data_format": value.data_format, "floatx": value.floatx}
    return {"preprocess_input": scaling}


def decoded(value: Any) -> Any:
    """The value that `encoded` has encoded.

    Raises:
        InvalidArgumentError: this is no such value.
    """
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((kind, inner),) = value.items()
        if kind == "tuple" and isinstance(inner, list):
            return tuple(decoded(item) for item in inner)
        if kind == "noise" and isinstance(inner, dict):
            return Noise(**inner)
        if kind == "dict" and isinstance(inner, dict):
            return {key: decoded(item) for key, item in inner.items()}
        if kind == "preprocess_input" and isinstance(inner, dict):
            scaling = _scaling(inner)
            if scaling is not None:
                return scaling
    raise InvalidArgumentError(f"This is not what a state has: {value!r:.80}.")


def _scaling(parts: Mapping[str, Any]) -> ImageNetScaling | None:
    words = [parts.get(name) for name in ("model", "data_format", "floatx")]
    model, data_format, floatx = (word if isinstance(word, str) else "" for word in words)
    return scaling_of_model(model, data_format, floatx)
