"""`imageloom bench`: measures images per second, and recommends executor, cores and cache."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from imageloom._cli.arguments import (
    SectionedCommand,
    augmentation,
    directory,
    json_option,
    on_stderr,
    open_folder,
    option,
    reading,
)
from imageloom._cli.measuring import Configuration, Rate, advise, configurations, measure
from imageloom._cli.terminal import heading
from imageloom._machine import available_cpus
from imageloom._preview.progress import progress_bar

if TYPE_CHECKING:
    from imageloom import DirectoryIterator

__all__ = ["bench"]

_CACHED_IMAGES: Final = 1024  # enough images to measure a full cache


@click.command(
    cls=SectionedCommand,
    examples="""
    imageloom bench photos --size 96 96 --rotation-range 20 --horizontal-flip
    imageloom bench photos --executor processes --cores 4 --cores 8 --seconds 10
    imageloom bench photos --json | jq .use
    """,
)
@directory
@option(
    "--seconds",
    section="Measurement",
    type=click.FloatRange(0.1, 86_400),
    metavar="S",
    default=3.0,
    show_default=True,
    help="Length of the measurement of each configuration, in seconds.",
)
@option(
    "--executor",
    "executors",
    section="Measurement",
    multiple=True,
    type=click.Choice(["serial", "threads", "processes"]),
    help="Measure this executor only; may be repeated.",
)
@option(
    "--cores",
    section="Measurement",
    multiple=True,
    type=click.IntRange(1),
    metavar="N",
    help="Measure this number of workers only; may be repeated. By default 1, 2, 4 ... and all CPUs.",
)
@option(
    "--cache/--no-cache",
    section="Measurement",
    default=True,
    show_default=True,
    help=f"Also measure with a cache of decoded images (filled with {_CACHED_IMAGES} images).",
)
@option(
    "--batch-size",
    section="Measurement",
    type=click.IntRange(1),
    metavar="N",
    default=32,
    show_default=True,
    help="Images in a batch.",
)
@reading((224, 224))
@augmentation
@json_option
def bench(
    folder: Path | str,
    seconds: float,
    executors: tuple[str, ...],
    cores: tuple[int, ...],
    cache: bool,
    batch_size: int,
    as_json: bool,
    **asked: Any,
) -> None:
    """Measure images per second, and recommend executor, cores and cache.

    Reads batches of DIR with each executor and number of cores, with and without a cache, as fast as
    possible and without a model. Each configuration is measured for --seconds, in five parts. The table
    shows the median of the parts, and the slowest and the fastest part as a measure of the noise. Run
    it on an idle machine. A model that needs fewer images per second needs no more workers.
    """
    cpus = available_cpus()
    if cores and min(cores) > cpus:
        raise click.BadParameter(
            f"The smallest number is {min(cores)}, but there are {cpus} CPUs. Pass 1 to {cpus}.",
            param_hint="--cores",
        )
    wanted = configurations(cpus, executors, cores, cache=cache)
    reading = {name: asked.pop(name) for name in ("size", "color_mode", "interpolation", "extensions")}
    opened = _Opener(
        folder,
        {**asked, "rescale": 1 / 255, "on_bad_image": "replace"},
        {**reading, "batch_size": batch_size},
    )
    rates = []
    with progress_bar(len(wanted), "bench", "configurations") as bar:
        for configuration in wanted:
            bar.set_postfix_str(f"{configuration.executor} {configuration.cores}")
            with on_stderr():
                rates.append(measure(opened.flow(configuration), configuration, seconds))
            bar.update()
    from imageloom._machine import free_memory

    advice = advise(rates, cached_nbytes=opened.nbytes, free_nbytes=free_memory() // 4)
    if as_json:
        found = {
            "cpus": cpus,
            "batch_size": batch_size,
            "images": opened.images,
            "rates": [{**asdict(rate.configuration), **_measured(rate)} for rate in rates],
            "use": {**asdict(advice.configuration), "reasons": advice.reasons},
        }
        click.echo(json.dumps(found, indent=1))
        return
    click.echo(f"{opened.images:,} images, batches of {batch_size}, {cpus} CPUs")
    click.echo(heading("executor  cores cache  images/s slowest..quickest first batch"))
    for rate in rates:
        click.echo(_line(rate))
    click.echo(f"\nUse {click.style(advice.configuration.in_words, fg='green', bold=True)}")
    for reason in advice.reasons:
        click.echo(f"  - {reason}")


class _Opener:
    """Opens iterators over the folder, each with its own configuration."""

    def __init__(
        self, folder: Path | str, constructor: dict[str, Any], options: dict[str, Any]
    ) -> None:
        self._folder = folder
        self._constructor = constructor
        self._options = options
        self.images = 0
        self.nbytes = 0

    def flow(self, configuration: Configuration) -> DirectoryIterator:
        constructor = {
            **self._constructor,
            "executor": configuration.executor,
            "cores": configuration.cores,
        }
        if configuration.cache:
            from imageloom._sources.single_class import class_folders

            classes = len(class_folders(self._folder)) or 1
            of_each = math.ceil(_CACHED_IMAGES / classes)
            constructor |= {"cache": "memory", "max_samples_per_class": of_each}
        flow = open_folder(self._folder, constructor, seed=1, **self._options)
        if flow.n > self.images:
            self.images, self.nbytes = flow.n, flow.n * math.prod(flow.image_shape)
        return flow


def _measured(rate: Rate) -> dict[str, Any]:
    found = asdict(rate)
    del found["configuration"]
    return {key: round(v, 3) if isinstance(v, float) else v for key, v in found.items()}


def _line(rate: Rate) -> str:
    used = rate.configuration
    spread = f"{rate.low:,.0f}..{rate.high:,.0f}"
    return (
        f"{used.executor:9} {used.cores:5} {'memory' if used.cache else '-':6} "
        f"{rate.median:8,.0f} {spread:>17} {rate.first_batch:8.2f} s"
    )
