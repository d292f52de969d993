"""What several commands take: the folder, how its images are read, and the augmentation."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from imageloom import DirectoryIterator

__all__ = [
    "FILL_MODES",
    "INTERPOLATIONS",
    "NOISE_NAMES",
    "SectionedCommand",
    "WithExamples",
    "augmentation",
    "cores",
    "directory",
    "factor",
    "given",
    "json_option",
    "on_stderr",
    "open_folder",
    "option",
    "reading",
]

Command = TypeVar("Command", bound=Callable[..., Any])

# As in `imageloom._options`, which loads NumPy: help is to come at once. A test compares them.
FILL_MODES: Final = (
    "constant", "nearest", "reflect", "wrap", "mirror", "grid-wrap", "grid-mirror", "grid-constant",
)  # fmt: skip
INTERPOLATIONS: Final = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
NOISE_NAMES: Final = ("gauss", "poisson", "s&p", "speckle")
_SIZE: Final = click.IntRange(1)


class _SectionedOption(click.Option):
    """An option that help shows under a heading of its own."""

    def __init__(self, *args: Any, section: str = "Options", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.section = section


class WithExamples(click.Command):
    """A command whose help ends with examples, line by line as they are given."""

    def __init__(self, *args: Any, examples: str = "", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes them."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.strip().splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line.strip()}\n")


class SectionedCommand(WithExamples):
    """A command whose help groups its options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes them by section, the general ones last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            # Newer versions of click have records of arguments, too; usage and text speak of them.
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        sections["Options"] = sections.pop("Options")
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)


def option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """`click.option`, with a `section`."""
    return click.option(*names, cls=_SectionedOption, **settings)


def cores(value: str) -> float:
    """As the constructor's argument: 1 is one core, 1.0 all of them."""
    try:
        number = int(value) if value.lstrip("-").isdigit() else float(value)
    except ValueError:
        number = 0
    if not (number > 0 or number == -1):
        raise click.BadParameter(
            f"{value!r} is neither a number of cores, nor a share, nor -1 for all."
        )
    return number


def factor(value: str) -> float:
    """A number, or a fraction such as 1/255."""
    try:
        return float(Fraction(value))
    except (ValueError, ZeroDivisionError) as error:
        raise click.BadParameter(f"{value!r} is neither a number nor a fraction.") from error


def _number_or_pair(value: str) -> float | tuple[float, ...]:
    """`0.2` or `0.8,1.5`."""
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 2):
        raise click.BadParameter(f"{value!r} is not a number, or two with a comma between them.")
    return numbers[0] if len(numbers) == 1 else numbers


_FACTORS: Final[dict[str, Any]] = {"type": (float, float), "metavar": "LOW HIGH"}
_AUGMENTATION: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (
        "--rotation-range",
        {"type": float, "metavar": "DEGREES", "help": "Rotate by up to so much, either way."},
    ),
    (
        "--width-shift-range",
        {"type": float, "metavar": "X", "help": "Shift by up to X of the width, pixels from 1 on."},
    ),
    (
        "--height-shift-range",
        {"type": float, "metavar": "X", "help": "Likewise, of the height."},
    ),
    ("--shear-range", {"type": float, "metavar": "DEGREES", "help": "Shear by up to so much."}),
    (
        "--zoom-range",
        {"type": _number_or_pair, "metavar": "X|LOW,HIGH",
         "help": "Factors 1-X to 1+X, or LOW to HIGH; below 1 enlarges."},
    ),
    ("--horizontal-flip", {"is_flag": True, "help": "Mirror every other image, left to right."}),
    ("--vertical-flip", {"is_flag": True, "help": "Mirror every other image, top to bottom."}),
    ("--brightness-range", {**_FACTORS, "help": "Factors; 1 leaves the image alone."}),
    ("--contrast-range", {**_FACTORS, "help": "Factors; 1 leaves the image alone."}),
    (
        "--channel-shift-range",
        {"type": float, "metavar": "LEVELS", "help": "Add up to so many grey levels, either way."},
    ),
    (
        "--noise",
        {"multiple": True, "type": click.Choice(NOISE_NAMES),
         "help": "May be repeated: one of them is picked for each image."},
    ),
    (
        "--fill-mode",
        {"type": click.Choice(FILL_MODES),
         "help": "What lies beyond the border.  [default: nearest]"},
    ),
    (
        "--cval",
        {"type": float, "help": "The value there, with --fill-mode constant.  [default: 0]"},
    ),
    (
        "--interpolation-order",
        {"type": click.IntRange(0, 5),
         "help": "Of the warp: 0 picks pixels, 1 is bilinear, above are splines.  [default: 1]"},
    ),
    (
        "--geometry",
        {"type": click.Choice(["keras", "corrected"]),
         "help": "Keras exchanges the two shifts; corrected does not.  [default: keras]"},
    ),
)  # fmt: skip


def directory(command: Command) -> Command:
    """The folder."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.argument("folder", type=kind, metavar="DIR")(command)


def json_option(command: Command) -> Command:
    """Results for a script."""
    return option("--json", "as_json", is_flag=True, help="Print the results as JSON.")(command)


def reading(size: tuple[int, int] | None) -> Callable[[Command], Command]:
    """How images are read; a `size` of None leaves theirs alone."""
    shown = "as they are" if size is None else f"{size[0]} {size[1]}"

    def decorate(command: Command) -> Command:
        for add in (
            option("--interpolation", section="Reading", type=click.Choice(INTERPOLATIONS),
                   default="bilinear", show_default=True, help="How to resize."),
            option("--color-mode", section="Reading",
                   type=click.Choice(["rgb", "rgba", "grayscale"]), default="rgb",
                   show_default=True, help="Convert to this."),
            option("--size", section="Reading", type=(_SIZE, _SIZE), default=size,
                   metavar="HEIGHT WIDTH", help=f"Resize to this.  [default: {shown}]"),
        ):  # fmt: skip
            command = add(command)
        return command

    return decorate


def augmentation(command: Command) -> Command:
    """The random transforms, under the names of the constructor's arguments."""
    for name, settings in reversed(_AUGMENTATION):
        command = option(name, section="Augmentation", **settings)(command)
    return command


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were used, for the constructor, which has defaults of its own."""
    return {n: v for n, v in options.items() if not any(v is unset for unset in (None, False, ()))}


@contextlib.contextmanager
def on_stderr() -> Iterator[None]:
    """What the library prints is no result of a command, and its warnings are a line each."""

    def tell(message: Warning | str, *_: Any, **__: Any) -> None:
        click.echo(f"Warning: {' '.join(str(message).split())}", err=True)

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = tell
        yield


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
        click.ClickException: there are no images.
        ImageLoomError: whatever the library finds fault with.
    """
    from imageloom import ImageDataGenerator
    from imageloom._sources.listing import class_folders, list_single_class

    root = str(folder)
    if not class_folders(folder):
        root, name, files = list_single_class(folder)
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
            **options,
        )
    if flow.n == 0:
        raise click.ClickException(f"There are no images in {str(folder)!r}.")
    return flow
