"""Arguments and options that several commands share: the folder, reading, and augmentation."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from imageloom._cli.terminal import Failure, warn
from imageloom._cli.values import NUMBER, NUMBER_OR_PAIR, PAIR, SIDE, Place, paired
from imageloom._errors import in_one_line

if TYPE_CHECKING:
    from imageloom import DirectoryIterator

__all__ = [
    "FILL_MODES",
    "INTERPOLATIONS",
    "NOISE_NAMES",
    "SectionedCommand",
    "WithExamples",
    "augmentation",
    "directory",
    "extensions_option",
    "given",
    "json_option",
    "no_images",
    "on_stderr",
    "open_folder",
    "option",
    "reading",
]

Command = TypeVar("Command", bound=Callable[..., Any])

# Copied from `imageloom._options`, because that imports NumPy and help should appear at once. A test
# compares both.
FILL_MODES: Final = (
    "constant", "nearest", "reflect", "wrap", "mirror", "grid-wrap", "grid-mirror", "grid-constant",
)  # fmt: skip
INTERPOLATIONS: Final = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
NOISE_NAMES: Final = ("gauss", "poisson", "s&p", "speckle")
_COPIES: Final = 8  # of an image that are in memory at once, at least
_BYTES: Final = 12  # of a pixel: three channels of float32


class _SectionedOption(click.Option):
    """An option that help shows under a heading of its own."""

    def __init__(self, *args: Any, section: str = "Options", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.section = section


class WithExamples(click.Command):
    """A command whose help ends with examples, line by line as they are given."""

    def __init__(self, *args: Any, examples: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.strip().splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line.strip()}\n")


class SectionedCommand(WithExamples):
    """A command whose help groups its options, and whose ranges may be two numbers."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the command line."""
        return super().parse_args(ctx, list(paired(args)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options by section, with the general ones last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            # Newer versions of click return records for arguments too; the usage line describes them.
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        sections["Options"] = sections.pop("Options")
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)


def option(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    """Returns `click.option` with a heading, `section`, for the help."""
    return click.option(*names, cls=_SectionedOption, **attributes)


_FACTORS: Final[dict[str, Any]] = {"type": PAIR, "metavar": "LOW HIGH"}
_AUGMENTATION: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (
        "--rotation-range",
        {"type": NUMBER, "metavar": "DEGREES", "help": "Rotate by up to this angle."},
    ),
    (
        "--width-shift-range",
        {"type": NUMBER, "metavar": "X", "help": "Shift by up to X of the width (from 1 on, pixels)."},
    ),
    (
        "--height-shift-range",
        {"type": NUMBER, "metavar": "X", "help": "Shift by up to X of the height (from 1 on, pixels)."},
    ),
    ("--shear-range", {"type": NUMBER, "metavar": "DEGREES", "help": "Shear by up to this angle."}),
    (
        "--zoom-range",
        {"type": NUMBER_OR_PAIR, "metavar": "X|LOW HIGH",
         "help": "Zoom by a factor from 1-X to 1+X, or from LOW to HIGH; below 1 enlarges."},
    ),
    ("--horizontal-flip", {"is_flag": True, "help": "Mirror left to right, with probability 0.5."}),
    ("--vertical-flip", {"is_flag": True, "help": "Mirror top to bottom, with probability 0.5."}),
    ("--brightness-range", {**_FACTORS, "help": "Scale the brightness; 1 changes nothing."}),
    ("--contrast-range", {**_FACTORS, "help": "Scale the contrast; 1 changes nothing."}),
    (
        "--channel-shift-range",
        {"type": NUMBER, "metavar": "LEVELS", "help": "Add or subtract up to this many grey levels."},
    ),
    (
        "--noise",
        {"multiple": True, "type": click.Choice(NOISE_NAMES),
         "help": "Add noise. May be repeated: one kind is chosen for each image."},
    ),
    (
        "--random-crop",
        {"type": PAIR, "metavar": "LOW HIGH", "help": "Cut windows with this share of the area."},
    ),
    (
        "--perspective",
        {"type": NUMBER, "metavar": "X", "help": "Move the corners, with up to this probability."},
    ),
    (
        "--elastic",
        {"type": NUMBER, "metavar": "X", "help": "Distort like rubber, with up to this probability."},
    ),
    (
        "--rand-augment",
        {"type": PAIR, "metavar": "N MAGNITUDE", "help": "Apply N operations of a strength in 0..1."},
    ),
    (
        "--hue-range",
        {"type": NUMBER_OR_PAIR, "metavar": "X|LOW HIGH", "help": "Turn the hue; 1 is half a turn."},
    ),
    (
        "--saturation-range",
        {"type": NUMBER_OR_PAIR, "metavar": "X|LOW HIGH",
         "help": "Change the saturation: 0 is grey, 0.5 changes nothing."},
    ),
    ("--grayscale", {"type": NUMBER, "metavar": "X", "help": "Make grey, with this probability."}),
    ("--blur", {"type": NUMBER, "metavar": "X", "help": "Blur, with up to this probability."}),
    (
        "--jpeg-quality-range",
        {"type": PAIR, "metavar": "LOW HIGH", "help": "Compress as JPEG of a quality in 1..100."},
    ),
    (
        "--random-erasing",
        {"type": NUMBER, "metavar": "X", "help": "Erase a rectangle, with up to this probability."},
    ),
    (
        "--mixup",
        {"type": NUMBER, "metavar": "ALPHA", "help": "Add another image, with a drawn weight."},
    ),
    (
        "--cutmix",
        {"type": NUMBER_OR_PAIR, "metavar": "ALPHA", "help": "Replace a box by that of another image."},
    ),
    (
        "--fill-mode",
        {"type": click.Choice(FILL_MODES),
         "help": "Fill beyond the border.  [default: nearest]"},
    ),
    (
        "--cval",
        {"type": NUMBER, "help": "The value beyond the border for --fill-mode constant.  [default: 0]"},
    ),
    (
        "--interpolation-order",
        {"type": click.IntRange(0, 5),
         "help": "Order of the resampling: 0 nearest, 1 linear, 2 to 5 splines.  [default: 1]"},
    ),
    (
        "--geometry",
        {"type": click.Choice(["keras", "corrected"]),
         "help": "keras exchanges the two shifts as Keras does; corrected does not.  [default: keras]"},
    ),
)  # fmt: skip


def directory(command: Command) -> Command:
    """Adds the argument DIR, a folder or a URL."""
    return click.argument("folder", type=Place(files=False), metavar="DIR")(command)


def json_option(command: Command) -> Command:
    """Adds the option `--json`."""
    return option("--json", "as_json", is_flag=True, help="Print the results as JSON.")(command)


def _affordable(
    ctx: click.Context, param: click.Parameter, size: tuple[int, int] | None
) -> tuple[int, int] | None:
    """Refuses a size whose images would not fit into memory, instead of being killed for it."""
    del ctx, param
    if size is None or math.prod(size) < 10**7:
        return size
    from imageloom._machine import free_memory

    needed, free = math.prod(size) * _BYTES * _COPIES, free_memory()
    if needed > free:
        raise click.BadParameter(
            f"Images of {size[0]} x {size[1]} pixels need {needed / 1e9:,.0f} GB of memory, but "
            f"{free / 1e9:,.1f} GB are free. Pass a smaller size."
        )
    return size


def extensions_option(command: Command) -> Command:
    """Adds the option `--extensions`, whose value is that of the argument of the flow methods."""
    return option(
        "--extensions",
        section="Reading",
        callback=_listed,
        metavar="NAMES",
        help="Suffixes of the files that are images, such as png,jpg,webp, or all.  [default: Keras']",
    )(command)


def _listed(ctx: click.Context, param: click.Parameter, names: str | None) -> list[str] | str | None:
    del ctx, param
    if names is None or names.strip().lower() == "all":
        return names and names.strip()
    return [name.strip() for name in names.split(",")]


def reading(size: tuple[int, int] | None) -> Callable[[Command], Command]:
    """Adds the options for reading images; a `size` of None keeps the sizes of the files."""
    shown = "the size of the file" if size is None else f"{size[0]} {size[1]}"

    def decorate(command: Command) -> Command:
        for add in (
            extensions_option,
            option("--interpolation", section="Reading", type=click.Choice(INTERPOLATIONS),
                   default="bilinear", show_default=True, help="Filter for resizing."),
            option("--color-mode", section="Reading",
                   type=click.Choice(["rgb", "rgba", "grayscale"]), default="rgb",
                   show_default=True, help="Convert to these channels."),
            option("--size", section="Reading", type=(SIDE, SIDE), default=size,
                   callback=_affordable,
                   metavar="HEIGHT WIDTH", help=f"Resize to this size.  [default: {shown}]"),
        ):  # fmt: skip
            command = add(command)
        return command

    return decorate


def augmentation(command: Command) -> Command:
    """Adds the random transforms, under the names of the constructor's arguments."""
    for name, attributes in reversed(_AUGMENTATION):
        command = option(name, section="Augmentation", **attributes)(command)
    return command


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options that were used; the constructor has defaults for the others."""
    return {n: v for n, v in options.items() if not any(v is unset for unset in (None, False, ()))}


@contextlib.contextmanager
def on_stderr() -> Iterator[None]:
    """Discards what the library prints, and prints its warnings as lines on standard error."""

    def print_warning(message: Warning | str, *_: Any, **__: Any) -> None:
        warn(in_one_line(" ".join(str(message).split())))

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = print_warning
        yield


def open_folder(
    folder: Path | str,
    constructor: dict[str, Any],
    *,
    size: tuple[int, int],
    color_mode: str,
    interpolation: str,
    extensions: list[str] | str | None = None,
    **options: Any,
) -> DirectoryIterator:
    """Returns an iterator over the folder. A folder without sub-folders counts as one class.

    Raises:
        Failure: there are no images.
        ImageLoomError: the library rejects an argument or the folder.
    """
    from imageloom import ImageDataGenerator
    from imageloom._imaging.extensions import checked_extensions
    from imageloom._sources.single_class import class_folders, list_single_class

    root = str(folder)
    if not class_folders(folder):
        root, name, files = list_single_class(folder, checked_extensions(extensions))
        limit = constructor.get("max_samples_per_class", -1)
        files = files if limit < 0 else files[:limit]
        options["list_valid_filenames_in_directory_function"] = lambda **_: (name, files)
        options["classes"] = [name]
    with on_stderr():
        flow = ImageDataGenerator(**given(constructor)).flow_from_directory(
            root,
            target_size=size,
            color_mode=color_mode,
            interpolation=interpolation,
            extensions=extensions,
            **options,
        )
    if flow.n == 0:
        raise no_images(folder)
    return flow


def no_images(folder: Path | str) -> Failure:
    """The error for a folder without images."""
    return Failure(
        f"There are no images in {str(folder)!r} or its sub-folders. A file counts by its suffix: "
        "png, jpg, jpeg, bmp, ppm, tif, tiff or npy, or one of --extensions."
    )
