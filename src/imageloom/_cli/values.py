"""The values of options and arguments: numbers with bounds, ranges, cores, folders and URLs.

Every value that can be written is either taken or refused with a sentence that says what is allowed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from imageloom._storage.urls import is_url

__all__ = ["CORES", "FACTOR", "FOLD", "NUMBER", "NUMBER_OR_PAIR", "PAIR", "SIDE", "Place", "paired"]

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:  # generic from version 8.4 of click on
    _ParamType = click.ParamType

_LARGEST: Final = 1e9  # of numbers that mean angles, pixels, factors or grey levels
_LARGEST_SIDE: Final = 65_535  # of a JPEG image, too
SIDE: Final = click.IntRange(1, _LARGEST_SIDE)
# Options whose two numbers may stand apart (0.8 1.2) or with a comma (0.8,1.2), by whether one number
# alone has a meaning, too.
_PAIR_OPTIONS: Final = {
    "--zoom-range": True,
    "--brightness-range": False,
    "--contrast-range": False,
    "--random-crop": False,
    "--rand-augment": False,
    "--hue-range": True,
    "--saturation-range": True,
    "--jpeg-quality-range": False,
}


class _Parsed(_ParamType):
    """A value that a function parses; an error names the option."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Parses a value; one that is parsed already, such as a default, is returned as it is."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except click.BadParameter as error:
            self.fail(error.message, param, ctx)


def _number(value: str) -> float:
    try:
        return _bounded(float(value), value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a number.") from None


def _bounded(number: float, text: str) -> float:
    """Refuses what is absurdly large; infinity and NaN are left for the library to refuse."""
    if math.isfinite(number) and abs(number) > _LARGEST:
        raise click.BadParameter(
            f"{text!r} is too large: allowed are numbers from -{_LARGEST:,.0f} to {_LARGEST:,.0f}."
        )
    return number


def _cores(value: str) -> float:
    """Parses `cores` like the constructor's argument: 1 is one core, 1.0 is all of them."""
    try:
        number = int(value) if value.lstrip("-").isdigit() else float(value)
    except ValueError:
        number = 0
    if not (number > 0 or number == -1):
        raise click.BadParameter(
            f"{value!r} is not a number of cores (2), a share of them (0.5), or -1 for all."
        )
    return number


def _factor(value: str) -> float:
    """Parses a number, or a fraction such as 1/255."""
    above, slash, below = value.partition("/")
    try:
        # Not by `fractions`, which would compute all digits of 1e999999999.
        number = float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        number = math.nan
    if not math.isfinite(number):
        raise click.BadParameter(f"{value!r} is not a number (0.5) or a fraction (1/255).")
    return _bounded(number, value)


def _number_or_pair(value: str) -> float | tuple[float, ...]:
    """Parses `0.2` or `0.8,1.5`."""
    numbers = _numbers(value)
    if len(numbers) not in (1, 2):
        raise click.BadParameter(
            f"{value!r} is not a number (0.2) or two numbers (0.8 1.5, or 0.8,1.5)."
        )
    return numbers[0] if len(numbers) == 1 else numbers


def _pair(value: str) -> tuple[float, ...]:
    """Parses `0.8,1.5`."""
    numbers = _numbers(value)
    if len(numbers) != 2:
        raise click.BadParameter(f"{value!r} is not two numbers (0.8 1.5, or 0.8,1.5).")
    return numbers


def _numbers(value: str) -> tuple[float, ...]:
    try:
        return tuple(_bounded(float(part), value) for part in value.strip("[]()").split(","))
    except ValueError:
        return ()


def _fold(value: str) -> tuple[int, int]:
    """Parses `0/5`, the first of five parts."""
    index, _, count = value.partition("/")
    try:
        part = int(index), int(count)
    except ValueError:
        part = 0, 0
    if not 0 <= part[0] < part[1] or part[1] < 2:
        raise click.BadParameter(
            f"{value!r} is not a part I/K, with I from 0 to K - 1, such as 0/5 for the first of five."
        )
    return part


def paired(words: Iterable[str]) -> Iterator[str]:
    """Joins the two numbers after an option of `_PAIR_OPTIONS` with a comma, as one value.

    If one number alone has a meaning, too, a second one is the name of a folder if there is such a
    folder: classes are named after years and digits.
    """
    waiting = list(words)[::-1]
    while waiting:
        word = waiting.pop()
        if word == "--":
            yield word
            yield from reversed(waiting)
            return
        name, equals, value = word.partition("=")
        yield name if name in _PAIR_OPTIONS else word
        if name not in _PAIR_OPTIONS:
            continue
        if not equals:
            if not waiting:
                continue  # click says what is missing
            value = waiting.pop()
        if _is_number(value) and waiting and _is_number(waiting[-1]):
            named = _PAIR_OPTIONS[name] and os.path.exists(waiting[-1])
            value = value if named else f"{value.rstrip(',')},{waiting.pop()}"
        yield value


def _is_number(word: str) -> bool:
    return len(_numbers(word.rstrip(","))) == 1


NUMBER: Final = _Parsed("number", _number)
CORES: Final = _Parsed("cores", _cores)
FACTOR: Final = _Parsed("factor", _factor)
FOLD: Final = _Parsed("fold", _fold)
PAIR: Final = _Parsed("pair", _pair)
NUMBER_OR_PAIR: Final = _Parsed("range", _number_or_pair)


class Place(_ParamType):
    """A folder or URL, or also a file; what is on this machine exists."""

    name = "path"

    def __init__(self, *, files: bool) -> None:
        self._local: Any = click.Path(exists=True, file_okay=files, path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Path | str:
        """Returns a URL as it is, and a local path as such."""
        if is_url(value):
            return str(value)
        try:
            found: Path = self._local.convert(value, param, ctx)
        except ValueError as error:  # a null character
            self.fail(f"{value!r} cannot be a path: {error}.", param, ctx)
        return found
