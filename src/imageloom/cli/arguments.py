"""What several commands take: the folder, how its images are read, and the augmentation."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from imageloom import DirectoryIterator, ImageDataGenerator
from imageloom.errors import ImageLoomError
from imageloom.options import FILL_MODES, INTERPOLATIONS, NOISE_NAMES

__all__ = ["augmentation", "directory", "open_folder", "reading", "refuse"]

Command = TypeVar("Command", bound=Callable[..., Any])

_RANGE: Final = (float, float)
_AUGMENTATION: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("--rotation-range", {"type": float, "metavar": "DEGREES", "help": "Turn by up to so much."}),
    (
        "--width-shift-range",
        {"type": float, "help": "Shift; below 1 a share of the side, else pixels."},
    ),
    ("--height-shift-range", {"type": float, "help": "The same in the other direction."}),
    ("--shear-range", {"type": float, "metavar": "DEGREES", "help": "Shear by up to so much."}),
    ("--zoom-range", {"type": float, "help": "Zoom by 1 - x to 1 + x."}),
    ("--horizontal-flip", {"is_flag": True, "help": "Mirror every other image, left to right."}),
    ("--vertical-flip", {"is_flag": True, "help": "Mirror every other image, top to bottom."}),
    ("--brightness-range", {"type": _RANGE, "metavar": "LOW HIGH", "help": "1 leaves it alone."}),
    ("--contrast-range", {"type": _RANGE, "metavar": "LOW HIGH", "help": "1 leaves it alone."}),
    ("--channel-shift-range", {"type": float, "help": "Grey levels added to all channels."}),
    ("--noise", {"multiple": True, "type": click.Choice(NOISE_NAMES), "help": "May be repeated."}),
    ("--fill-mode", {"type": click.Choice(FILL_MODES), "help": "What lies beyond the border."}),
    ("--cval", {"type": float, "help": "The value there, with --fill-mode constant."}),
    ("--interpolation-order", {"type": click.IntRange(0, 5), "help": "Of the warp; 1 is bilinear."}),
    ("--geometry", {"type": click.Choice(["keras", "corrected"]), "help": "See the documentation."}),
)


def directory(command: Command) -> Command:
    """The folder."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.argument("folder", type=kind, metavar="DIR")(command)


def reading(command: Command) -> Command:
    """How images are read."""
    for option in (
        click.option("--size", type=(int, int), default=(224, 224), show_default=True,
                     metavar="HEIGHT WIDTH", help="Resize to this."),
        click.option("--color-mode", type=click.Choice(["rgb", "rgba", "grayscale"]), default="rgb",
                     show_default=True, help="How files are read."),
        click.option("--interpolation", type=click.Choice(INTERPOLATIONS), default="bilinear",
                     show_default=True, help="Of resizing."),
    ):  # fmt: skip
        command = option(command)
    return command


def augmentation(command: Command) -> Command:
    """The random transforms, under the names of the constructor's arguments."""
    for name, settings in reversed(_AUGMENTATION):
        command = click.option(name, **settings)(command)
    return command


def refuse(error: Exception) -> click.ClickException:
    """The error in one line, and status 1, as scripts expect."""
    return click.ClickException(str(error))


def open_folder(
    folder: Path,
    constructor: dict[str, Any],
    *,
    size: tuple[int, int],
    color_mode: str,
    interpolation: str,
    **options: Any,
) -> DirectoryIterator:
    """An iterator over the folder; one without sub-folders is a class by itself.

    Raises:
        click.ClickException: whatever the library finds fault with; a folder without images.
    """
    unset = (None, False, ())
    given = {n: value for n, value in constructor.items() if not any(value is u for u in unset)}
    classes = None
    if not any(entry.is_dir() for entry in folder.iterdir()):
        folder, classes = folder.resolve().parent, [folder.resolve().name]
    try:
        # What Keras prints is no result of ours, and warnings are one line each.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            flow = ImageDataGenerator(**given).flow_from_directory(
                folder,
                target_size=size,
                color_mode=color_mode,
                interpolation=interpolation,
                classes=classes,
                **options,
            )
    except ImageLoomError as error:
        raise refuse(error) from error
    for warning in told:
        click.echo(f"Warning: {warning.message}", err=True)
    if flow.n == 0:
        raise click.ClickException(f"There are no images in {str(folder)!r}.")
    return flow
