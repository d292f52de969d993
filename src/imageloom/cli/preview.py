"""`imageloom preview`: a contact sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imageloom.cli.arguments import augmentation, directory, open_folder, reading, refuse
from imageloom.errors import ImageLoomError

__all__ = ["preview"]


@click.command()
@directory
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="preview.png",
    show_default=True,
    help="The picture to write; its name says in which format.",
)
@click.option("--samples", type=click.IntRange(1, 100), default=4, show_default=True, help="Rows.")
@click.option(
    "--versions",
    type=click.IntRange(1, 50),
    default=5,
    show_default=True,
    help="Transformed versions of each sample.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the transforms.")
@reading
@augmentation
def preview(
    folder: Path,
    output: Path,
    samples: int,
    versions: int,
    seed: int,
    size: tuple[int, int],
    color_mode: str,
    interpolation: str,
    **transforms: Any,
) -> None:  # fmt: skip
    """Draw images of DIR beside their augmented versions, with what was drawn below each.

    The transforms have the names of the constructor's arguments:

        imageloom preview photos -o sheet.png --rotation-range 20 --zoom-range 0.2 --horizontal-flip
    """
    flow = open_folder(
        folder, transforms, size=size, color_mode=color_mode, interpolation=interpolation, shuffle=False
    )
    try:
        sheet = flow.preview(samples=samples, versions=versions, seed=seed)
        sheet.save(output)
    except (ImageLoomError, OSError, ValueError) as error:
        raise refuse(error) from error
    click.echo(f"{output}: {min(samples, flow.n)} of {flow.n} images, {versions} versions each")
