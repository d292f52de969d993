"""`imageloom preview`: draws a contact sheet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from imageloom._cli.annotated import annotated_options, annotated_sheet
from imageloom._cli.arguments import (
    SectionedCommand,
    augmentation,
    given,
    json_option,
    on_stderr,
    option,
    reading,
)
from imageloom._cli.output import OutputFile
from imageloom._cli.terminal import warn
from imageloom._cli.values import Place
from imageloom._errors import in_one_line
from imageloom._storage.atomic import replacing

__all__ = ["preview"]

_SAMPLES: Final = 4
_MOST_SAMPLES: Final = 60


@click.command(
    cls=SectionedCommand,
    examples="""
    imageloom preview photos --rotation-range 20 --zoom-range 0.2 --horizontal-flip
    imageloom preview cat.jpg -o cat.png --brightness-range 0.5 1.5 --zoom-range 0.8 1.2
    imageloom preview photos --boxes boxes.csv --rotation-range 20
    imageloom preview photos --size 96 96 --color-mode grayscale --noise gauss --json
    """,
)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=Place(files=True),
    metavar="DIR|FILE...",
)
@option(
    "-o",
    "--output",
    section="Sheet",
    type=OutputFile(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"),
    default="preview.png",
    show_default=True,
    help="The picture to write; its suffix decides about the format.",
)
@option(
    "--samples",
    section="Sheet",
    type=click.IntRange(1, _MOST_SAMPLES),
    metavar="N",
    help="Images to show, from as many classes as possible.  [default: 4, or all named files]",
)
@option(
    "--versions",
    section="Sheet",
    type=click.IntRange(1, 24),
    metavar="N",
    default=5,
    show_default=True,
    help="Transformed versions of each image.",
)
@option(
    "--seed",
    section="Sheet",
    type=click.IntRange(0, 2**32 - 1),
    metavar="N",
    default=0,
    show_default=True,
    help="Chooses the samples and the transforms; 0, 1, 2 ... go through all samples.",
)
@annotated_options
@reading(None)
@augmentation
@json_option
def preview(
    paths: tuple[Path | str, ...],
    output: Path,
    samples: int | None,
    versions: int,
    seed: int,
    size: tuple[int, int] | None,
    color_mode: str,
    interpolation: str,
    extensions: list[str] | str | None,
    as_json: bool,
    boxes: Path | None,
    points: Path | None,
    coordinates: str | None,
    columns: str | None,
    **transforms: Any,
) -> None:  # fmt: skip
    """Draw images beside their augmented versions.

    Shows what a generator with these arguments makes of the images of a class folder, of a folder of
    images, or of image files. The drawn parameters stand below each version. Unreadable files are
    marked as such. With --boxes or --points, a table says what to draw over the images. --json prints
    the file, the seed and all drawn parameters of each version, and what the sheet says.
    """
    from imageloom import ImageDataGenerator
    from imageloom import preview as draw

    with on_stderr():
        generator = ImageDataGenerator(**given(transforms))
        count = samples or (_SAMPLES if len(paths) == 1 else min(len(paths), _MOST_SAMPLES))
        if boxes or points:
            reading: dict[str, Any] = {"color_mode": color_mode, "interpolation": interpolation}
            reading |= {"extensions": extensions} if extensions else {}
            reading |= {"target_size": size} if size else {}
            table = (boxes, points, coordinates, columns, reading)
            shown: dict[str, Any] = {"samples": count, "versions": versions, "seed": seed}
            sheet = annotated_sheet(generator, paths, *table, **shown)
        else:
            sheet = draw(
                generator,
                paths[0] if len(paths) == 1 else list(paths),
                samples=count,
                versions=versions,
                seed=seed,
                target_size=size,
                color_mode=color_mode,
                interpolation=interpolation,
                extensions=extensions,
            )
        with replacing(output) as draft:
            sheet.save(draft)
    notice = sheet.info["notice"]
    if as_json:
        drawn = {"versions": sheet.info["versions"], "notice": notice, "notes": sheet.info["notes"]}
        click.echo(json.dumps({"file": str(output), "size": sheet.size, **drawn}, indent=1))
        return
    if notice:
        warn(notice)
    click.echo(in_one_line(str(output)))
