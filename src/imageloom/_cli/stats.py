"""`imageloom stats`: computes mean, deviation and whitening matrix of a data set, for `fit`."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from imageloom._cli.arguments import (
    SectionedCommand,
    directory,
    json_option,
    on_stderr,
    open_folder,
    option,
    reading,
)
from imageloom._cli.output import OutputFile
from imageloom._cli.terminal import Failure, heading
from imageloom._cli.values import CORES, FACTOR
from imageloom._errors import BadImageError

if TYPE_CHECKING:
    from imageloom import DirectoryIterator
    from imageloom._imaging.normalise import FeatureStatistics, MeasuredImages

__all__ = ["stats"]

_CHANNELS: Final = 4  # in a line


@click.command(
    cls=SectionedCommand,
    examples="""
    imageloom stats photos --size 96 96
    imageloom stats digits -o digits.npz --size 28 28 --color-mode grayscale --zca
    python -c 'import numpy; print(numpy.load("stats.npz")["mean"])'
    """,
)
@directory
@option(
    "-o",
    "--output",
    section="Statistics",
    type=OutputFile(".npz"),
    default="stats.npz",
    show_default=True,
    help="The file to write, for generator.fit.",
)
@option(
    "--zca",
    section="Statistics",
    is_flag=True,
    help="Also compute the whitening matrix (for small images only).",
)
@option(
    "--zca-epsilon",
    section="Statistics",
    type=FACTOR,
    metavar="X",
    help="The zca_epsilon of the generator that will use the file.  [default: 1e-06]",
)
@option(
    "--rescale",
    section="Statistics",
    type=FACTOR,
    metavar="FACTOR",
    help="The rescale of the generator that will use the file; fractions such as 1/255 are allowed.",
)
@option(
    "--on-bad-image",
    section="Reading",
    type=click.Choice(["raise", "replace"]),
    default="raise",
    show_default=True,
    help="raise: stop at an unreadable file and name it. replace: use the next readable file instead.",
)
@reading((224, 224))
@option(
    "--cores",
    type=CORES,
    default="-1",
    metavar="N",
    help="Number of workers; with a decimal point, a share of all cores.  [default: -1, all cores]",
)
@option(
    "--executor",
    type=click.Choice(["processes", "threads", "serial", "ray"]),
    default="processes",
    show_default=True,
    help="How to read the images; ray uses the cluster of RAY_ADDRESS, or starts one on this machine.",
)
@json_option
def stats(
    folder: Path | str,
    output: Path,
    zca: bool,
    zca_epsilon: float | None,
    rescale: float | None,
    on_bad_image: str,
    cores: float,
    executor: str,
    as_json: bool,
    size: tuple[int, int],
    color_mode: str,
    interpolation: str,
    extensions: list[str] | str | None,
) -> None:  # fmt: skip
    """Compute the mean and deviation of each channel.

    Makes one pass over all images of DIR, with workers; --zca makes another one. The memory does not
    depend on the number of images. The file is for generators with featurewise_center,
    featurewise_std_normalization or zca_whitening. Use the size, colour mode, interpolation and
    rescale of that generator.
    """
    opened = partial(
        open_folder,
        folder,
        size=size,
        color_mode=color_mode,
        interpolation=interpolation,
        extensions=extensions,
        shuffle=False,
    )
    common = {
        "rescale": rescale,
        "cores": cores,
        "executor": executor,
        "on_bad_image": on_bad_image,
    }
    flow = opened({**common, "featurewise_center": True, "featurewise_std_normalization": True})
    from imageloom._imaging.normalise import MeasuredImages

    found, matrix = _fitted(flow), None
    if zca:  # a second pass, because whitening excludes the division by the deviation
        whitening = {"featurewise_center": True, "zca_whitening": True, "zca_epsilon": zca_epsilon}
        matrix = _fitted(opened({**common, **whitening}))
    images = MeasuredImages(
        rescale=rescale, target_size=size, color_mode=color_mode, dtype=str(flow.dtype)
    )
    _write(found, matrix, images, output)
    numbers = {"mean": found.mean, "std": found.std}
    listed = {name: value.ravel().tolist() for name, value in numbers.items() if value is not None}
    if as_json:
        click.echo(json.dumps({"images": flow.n, **listed, "file": str(output)}))
        return
    for name, values in listed.items():
        for start in range(0, len(values), _CHANNELS):  # `.npy` files may have many
            shown = "".join(f"{value:12.6g}" for value in values[start : start + _CHANNELS])
            click.echo(f"{heading(f'{name:6}') if start == 0 else ' ' * 6}{shown}")
    click.echo(f"{output}: of {flow.n} images; read it with generator.fit({str(output)!r})")


def _fitted(flow: DirectoryIterator) -> FeatureStatistics:
    with flow, on_stderr():
        try:
            flow.image_data_generator.fit(flow)
        except BadImageError as error:
            raise Failure(
                f"{' '.join(str(error).split())} Pass --on-bad-image replace to use the next readable "
                "file instead.",
                where=error.__notes__[-1],
            ) from error
    statistics: FeatureStatistics = flow.image_data_generator._freeze().statistics
    return statistics


def _write(
    found: FeatureStatistics,
    whitening: FeatureStatistics | None,
    images: MeasuredImages,
    output: Path,
) -> None:
    from imageloom._imaging.statistics_file import save_statistics

    matrix = None if whitening is None else whitening.zca_whitening_matrix
    save_statistics(dataclasses.replace(found, zca_whitening_matrix=matrix, images=images), output)
