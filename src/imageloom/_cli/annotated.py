"""Previews of images with boxes or points, which a table has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from imageloom._cli.arguments import option

__all__ = ["annotated_options", "annotated_sheet"]

Command = TypeVar("Command", bound=Callable[..., Any])
_TABLE = click.Path(dir_okay=False, path_type=Path)


def annotated_options(command: Command) -> Command:
    """Adds the options that name a table of boxes or points."""
    for add in (
        option(
            "--columns",
            section="Boxes and points",
            metavar="NAME,NAME,...",
            help="The column of the files, then those of the boxes or points, as for `y_col`.  "
            "[default: all columns]",
        ),
        option(
            "--coordinates",
            section="Boxes and points",
            metavar="FORMAT",
            help="What their numbers are, for example xywh.  [default: xyxy, or xy for points]",
        ),
        option(
            "--points",
            section="Boxes and points",
            type=_TABLE,
            metavar="TABLE",
            help="Draw the points that a table (.csv, .tsv) has for the files in DIR.",
        ),
        option(
            "--boxes",
            section="Boxes and points",
            type=_TABLE,
            metavar="TABLE",
            help="Draw the boxes that a table (.csv, .tsv) has for the files in DIR.",
        ),
    ):
        command = add(command)
    return command


def annotated_sheet(
    generator: Any,
    paths: tuple[Path | str, ...],
    boxes: Path | None,
    points: Path | None,
    coordinates: str | None,
    columns: str | None,
    reading: dict[str, Any],
    **sheet: Any,
) -> Any:
    """The sheet of the images in a folder that a table names.

    Args:
        generator: the generator.
        paths: the folder alone.
        boxes: the table of boxes, or None.
        points: the table of points, or None.
        coordinates: the format of either.
        columns: the columns to read, with commas between them; None for all.
        reading: further arguments of `flow_from_dataframe`.
        **sheet: arguments of `preview`.

    Raises:
        click.UsageError: two tables are given, or one that is not there, or files in place of a folder.
    """
    from imageloom._sources.tables import read_table

    table = boxes or points
    if table is None or (boxes and points):
        raise click.UsageError("Pass either --boxes or --points.")
    if len(paths) != 1 or Path(paths[0]).is_file():
        raise click.UsageError("With --boxes or --points, pass the folder that the files are in.")
    if not table.is_file():
        raise click.UsageError(f"There is no table {str(table)!r}.")
    frame = read_table(table)
    names = columns.split(",") if columns else list(frame.columns)
    if len(names) < 2:
        raise click.UsageError("A table needs a column of files, and another one of coordinates.")
    kind = "boxes" if boxes else "keypoints"
    form = {"bounding_box_format" if boxes else "keypoint_format": coordinates} if coordinates else {}
    return generator.flow_from_dataframe(
        frame,
        str(paths[0]),
        x_col=names[0],
        y_col=names[1] if len(names) == 2 else names[1:],
        class_mode=kind,
        verbose=0,
        **form,
        **reading,
    ).preview(**sheet)
