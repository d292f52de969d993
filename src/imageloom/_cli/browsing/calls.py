"""The code that reads the same data set with the same augmentation, for the user to copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imageloom._cli.browsing.augmenting import Settings
from imageloom._cli.listed import TableColumns
from imageloom._sources.single_class import class_folders

__all__ = ["FlowCall", "flow_call"]


@dataclass(frozen=True, slots=True)
class FlowCall:
    """A flow method and its arguments, apart from those that are set on the page.

    Attributes:
        before: lines that the call needs.
        method: the name of the method.
        arguments: its arguments, as code.
    """

    before: tuple[str, ...]
    method: str
    arguments: tuple[str, ...]

    def code(self, settings: Settings) -> str:
        """A program that makes the generator and the iterator."""
        arguments = [*self.arguments, f"target_size={settings.target_size!r}"]
        if settings.interpolation != "nearest":
            arguments.append(f"interpolation={_quoted(settings.interpolation)}")
        lines = [
            "from imageloom import ImageDataGenerator",
            "",
            f"generator = {_constructor(settings.options)}",
            *self.before,
            f"batches = generator.{self.method}(",
            *(f"    {argument}," for argument in arguments),
            ")",
        ]
        return "\n".join(lines)


def _constructor(options: Mapping[str, Any]) -> str:
    if not options:
        return "ImageDataGenerator()"
    lines = [f"    {name}={_in_code(value)},\n" for name, value in options.items()]
    return f"ImageDataGenerator(\n{''.join(lines)})"


def flow_call(
    place: Path | str, columns: TableColumns, extensions: list[str] | str | None = None
) -> FlowCall:
    """The call for a folder, a flat folder, a URL or a table."""
    if isinstance(place, Path) and place.is_file():
        call = _of_table(place, columns)
    else:
        flat = () if class_folders(place) else ('classes=["."]',)
        call = FlowCall((), "flow_from_directory", (_quoted(str(place)), *flat))
    if extensions is None:
        return call
    return replace(call, arguments=(*call.arguments, f"extensions={_in_code(extensions)}"))


def _of_table(place: Path, columns: TableColumns) -> FlowCall:
    separator = ', sep="\\t"' if place.suffix.lower() in (".tsv", ".tab") else ""
    usual = TableColumns()
    given: dict[str, Any] = {
        name: getattr(columns, name)
        for name in ("directory", "x_col", "y_col", "weight_col", "class_mode")
        if getattr(columns, name) != getattr(usual, name)
    }
    return FlowCall(
        ("import pandas", "", f"frame = pandas.read_csv({_quoted(str(place))}{separator})"),
        "flow_from_dataframe",
        ("frame", *(f"{name}={_in_code(value)}" for name, value in given.items())),
    )


def _in_code(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_in_code, value))}]"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """A string as formatters write it: in double quotes if it has none itself."""
    literal = repr(text)
    return literal if '"' in literal else f'"{literal[1:-1]}"'
