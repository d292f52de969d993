"""The options that say what the columns of a table mean, which several commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from imageloom._cli.arguments import option

if TYPE_CHECKING:
    from imageloom._cli.listed import TableColumns

__all__ = ["CLASS_MODES", "columns_of", "table_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

# Copied from `imageloom._sources.dataframe`, because that imports NumPy. A test compares both.
CLASS_MODES: Final = (
    "binary", "categorical", "image", "input", "multi_output", "raw", "sparse",
)  # fmt: skip


def table_options(command: Command) -> Command:
    """Adds the options; `columns_of` takes their values."""
    for add in (
        option("--class-mode", section="Table", type=click.Choice(CLASS_MODES),
               default="categorical", show_default=True, help="What the targets are."),
        option("--weight-col", section="Table", help="Column of weights."),
        option("--y-col", section="Table", multiple=True, default=("class",), show_default="class",
               help="Column of targets; may be repeated."),
        option("--x-col", section="Table", default="filename", show_default=True,
               help="Column of names."),
        option("--directory", section="Table", type=click.Path(),
               help="The folder that names are relative to."),
    ):  # fmt: skip
        command = add(command)
    return command


def columns_of(
    directory: str | None,
    x_col: str,
    y_col: tuple[str, ...],
    weight_col: str | None,
    class_mode: str,
) -> TableColumns:
    """What the options say, as the arguments of `flow_from_dataframe`."""
    from imageloom._cli.listed import TableColumns

    several = len(y_col) > 1 or class_mode == "multi_output"
    return TableColumns(directory, x_col, list(y_col) if several else y_col[0], weight_col, class_mode)
