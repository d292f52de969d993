"""`imageloom preview`: draws a contact sheet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

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
from imageloom._storage.atomic import replacing

__all__ = ["preview"]

_SAMPLES: Final = 4
_MOST_SAMPLES: Final = 60


@click.command(
    cls=SectionedCommand,
    examples="""
    imageloom preview photos --rotation-range 20 --zoom-range 0.2 --horizontal-flip
    imageloom preview cat.jpg -o cat.png --brightness-range 0.5 1.5 --versions 8
    imageloom preview photos --size 96 96 --color-mode grayscale --noise gauss --json
    """,
)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
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
    help="Seed of the transforms.",
)
@reading(None)
@augmentation
@json_option
def preview(
    paths: tuple[Path, ...],
    output: Path,
    samples: int | None,
    versions: int,
    seed: int,
    size: tuple[int, int] | None,
    color_mode: str,
    interpolation: str,
    as_json: bool,
    **transforms: Any,
) -> None:  # fmt: skip
    """Draw images beside their augmented versions.

    Shows what a generator with these arguments makes of the images of a class folder, of a folder of
    images, or of image files. The drawn parameters stand below each version. Unreadable files are
    marked as such. --json prints the file, the seed and all drawn parameters of each version.
    """
    from imageloom import ImageDataGenerator
    from imageloom import preview as draw

    with on_stderr():
        sheet = draw(
            ImageDataGenerator(**given(transforms)),
            paths[0] if len(paths) == 1 else list(paths),
            samples=samples or (_SAMPLES if len(paths) == 1 else min(len(paths), _MOST_SAMPLES)),
            versions=versions,
            seed=seed,
            target_size=size,
            color_mode=color_mode,
            interpolation=interpolation,
        )
        with replacing(output) as draft:
            sheet.save(draft)
    if as_json:
        drawn = sheet.info["versions"]
        click.echo(json.dumps({"file": str(output), "size": sheet.size, "versions": drawn}, indent=1))
    else:
        click.echo(output)
