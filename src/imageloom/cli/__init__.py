"""The command line: look at a data set and at what the augmentation does to it, and measure."""

from __future__ import annotations

import click

from imageloom import __version__
from imageloom.cli.bench import bench
from imageloom.cli.inspect import inspect
from imageloom.cli.preview import preview
from imageloom.cli.stats import stats

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="imageloom")
def main() -> None:
    """Feeds image models: Keras' ImageDataGenerator, in the background.

    Every command takes a folder with one sub-folder of images per class (or a folder of images).
    """


for command in (preview, inspect, stats, bench):
    main.add_command(command)
