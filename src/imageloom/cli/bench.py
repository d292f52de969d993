"""`imageloom bench`: images per second of a data set, and the settings to use."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click

from imageloom.cli.arguments import augmentation, directory, open_folder, reading, refuse
from imageloom.errors import ImageLoomError
from imageloom.executors.cpus import available_cpus
from imageloom.progress import progress_bar

__all__ = ["bench"]

_WORTH_IT: Final = 1.15  # a setting that is not faster by so much is not worth more processes


@dataclass(frozen=True, slots=True)
class _Rate:
    """Images per second with some settings."""

    executor: str
    cores: int
    cache: bool
    rate: float


@click.command()
@directory
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=3.0, show_default=True, help="For each setting."
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Images in a batch."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@reading
@augmentation
def bench(
    folder: Path,
    seconds: float,
    batch_size: int,
    as_json: bool,
    size: tuple[int, int],
    color_mode: str,
    interpolation: str,
    **transforms: Any,
) -> None:  # fmt: skip
    """Measure DIR with each executor and number of cores, with and without cache."""
    settings = list(_settings(available_cpus()))
    rates = []
    with progress_bar(len(settings), "bench", "settings") as bar:
        for executor, cores, cache in settings:
            constructor = {
                **transforms, "executor": executor, "cores": cores, "rescale": 1 / 255,
                "cache": "memory" if cache else None,
            }  # fmt: skip
            flow = open_folder(
                folder, constructor, size=size, color_mode=color_mode, interpolation=interpolation,
                batch_size=batch_size, seed=1,
            )  # fmt: skip
            try:
                with flow:
                    rates.append(_Rate(executor, cores, cache, _rate(flow, seconds, cache=cache)))
            except ImageLoomError as error:
                raise refuse(error) from error
            bar.update()
    best = _advised(rates)
    if as_json:
        click.echo(json.dumps({"rates": [asdict(rate) for rate in rates], "use": asdict(best)}))
        return
    for rate in rates:
        cached = "cached" if rate.cache else ""
        click.echo(f"{rate.executor:10} {rate.cores:3} {cached:7} {rate.rate:10,.0f} images/s")
    click.echo(f"use executor={best.executor!r}, cores={best.cores}" + ", cache='memory'" * best.cache)


def _settings(cpus: int) -> list[tuple[str, int, bool]]:
    counts = sorted({1, *(2**power for power in range(1, 10) if 2**power <= cpus), cpus})
    plain = [("serial", 1, False)]
    plain += [(kind, count, False) for kind in ("threads", "processes") for count in counts]
    return [*plain, ("processes", counts[-1], True)]


def _rate(flow: Any, seconds: float, *, cache: bool) -> float:
    """Images per second once workers run; with a cache, once it is filled."""
    for _ in range(2 * len(flow) if cache else 1):
        next(flow)
    images, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        images += len(next(flow)[0])
    return images / (time.perf_counter() - start)


def _advised(rates: list[_Rate]) -> _Rate:
    """The cheapest that is about as fast as the fastest: caches cost memory, workers processors."""
    fastest = max(rate.rate for rate in rates)
    good = [rate for rate in rates if rate.rate * _WORTH_IT >= fastest]
    return min(good, key=lambda rate: (rate.cache, rate.cores, -rate.rate))
