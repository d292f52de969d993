"""The command line: look at a data set and at what the augmentation does to it, and measure.

Whatever is heavy is imported when a command runs, so that help and usage errors come at once.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from imageloom import ImageLoomError, __version__
from imageloom._cli.arguments import WithExamples
from imageloom._cli.bench import bench
from imageloom._cli.inspect import inspect
from imageloom._cli.preview import preview
from imageloom._cli.stats import stats

__all__ = ["main"]

_INTERRUPTED = 130  # what shells say of a program that Ctrl-C has ended
_NOBODY_READS = 141  # and of one whose output nobody wants any more, as with `| head`


class _Program(WithExamples, click.Group):
    """The commands, and how they end: errors are one line on standard error, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            # The interpreter would complain once more when it empties its buffer at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_NOBODY_READS)
        except (ImageLoomError, OSError) as error:
            raise click.ClickException(" ".join(str(error).split())) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were added, which is the order in which one needs them."""
        del ctx
        return list(self.commands)


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples="""
    imageloom inspect photos                what is in there, and what is wrong with it
    imageloom preview photos -o sheet.png --rotation-range 20 --horizontal-flip
    imageloom stats photos -o stats.npz     mean and deviation, for generator.fit("stats.npz")
    imageloom bench photos                  how many workers to use
    """,
)
@click.version_option(__version__, prog_name="imageloom")
def main() -> None:
    """Look at image data sets, and at what ImageDataGenerator makes of them.

    DIR is a folder with one sub-folder of images for each class, as flow_from_directory reads it, or a
    folder of images.

    Results go to standard output, progress and errors to standard error. The exit status is 0 if all is
    well, 1 after an error, 2 if the command line is wrong, and 130 after Ctrl-C.
    """


for command in (inspect, preview, stats, bench):
    main.add_command(command)
