"""`imageloom stats`: mean, deviation and whitening of a data set, for `fit`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import click

from imageloom import DirectoryIterator
from imageloom.cli.arguments import directory, open_folder, reading, refuse
from imageloom.errors import ImageLoomError
from imageloom.statistics import FeatureStatistics, save_statistics

__all__ = ["stats"]


@click.command()
@directory
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="stats.npz",
    show_default=True,
    help="The file to write, an .npz; `generator.fit(file)` reads it.",
)
@click.option("--zca", is_flag=True, help="The whitening matrix, too (small images only).")
@click.option("--rescale", type=float, help="Factor before anything else, as in the generator.")
@click.option(
    "--cores", type=float, default=1.0, show_default=True, help="A number, or a share of all."
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@reading
def stats(
    folder: Path,
    output: Path,
    zca: bool,
    rescale: float | None,
    cores: float,
    as_json: bool,
    size: tuple[int, int],
    color_mode: str,
    interpolation: str,
) -> None:  # fmt: skip
    """Compute mean and deviation of each channel over all images of DIR, in one pass."""
    opened = partial(
        open_folder,
        folder,
        size=size,
        color_mode=color_mode,
        interpolation=interpolation,
        shuffle=False,
    )
    common = {"rescale": rescale, "cores": int(cores) if cores > 1 else cores}
    asked = {"featurewise_center": True, "featurewise_std_normalization": True}
    flow = opened({**common, **asked})
    matrix = None
    try:
        found = _fitted(flow)
        if zca:  # a pass of its own, because whitening takes the place of the deviation
            whitening = {**common, "featurewise_center": True, "zca_whitening": True}
            matrix = _fitted(opened(whitening))
        save_statistics(
            FeatureStatistics(
                mean=found.mean,
                std=found.std,
                zca_whitening_matrix=None if matrix is None else matrix.zca_whitening_matrix,
            ),
            output,
        )
    except (ImageLoomError, OSError) as error:
        raise refuse(error) from error
    numbers = _numbers(found)
    if as_json:
        click.echo(json.dumps({"images": flow.n, **numbers, "file": str(output)}))
        return
    for name, values in numbers.items():
        click.echo(f"{name:5}" + "  ".join(f"{value:.6g}" for value in values))
    click.echo(f"{output}: of {flow.n} images; read it with generator.fit({str(output)!r})")


def _fitted(flow: DirectoryIterator) -> FeatureStatistics:
    with flow:
        flow.image_data_generator.fit(flow)
    statistics: FeatureStatistics = flow.image_data_generator.frozen().statistics
    return statistics


def _numbers(found: FeatureStatistics) -> dict[str, list[float]]:
    assert found.mean is not None
    assert found.std is not None
    return {"mean": found.mean.ravel().tolist(), "std": found.std.ravel().tolist()}
