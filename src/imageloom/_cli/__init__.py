"""The command line: inspects, shows and previews data sets, computes statistics, measures speed.

What belongs here parses options, calls the library and prints the results. Heavy modules are imported
when a command runs, so that help and usage errors appear at once.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from imageloom import ImageLoomError, __version__
from imageloom._addresses import address_line
from imageloom._cli.arguments import WithExamples
from imageloom._cli.bench import bench
from imageloom._cli.browse import browse
from imageloom._cli.cache import cache
from imageloom._cli.check import check
from imageloom._cli.explain import explain
from imageloom._cli.inspect import inspect
from imageloom._cli.preview import preview
from imageloom._cli.replay import replay
from imageloom._cli.stats import stats
from imageloom._cli.terminal import Failure, colours_wanted, explaining_usage, tolerant_output
from imageloom._cli.verify import verify
from imageloom._errors import in_one_line

__all__ = ["main"]

_INTERRUPTED = 130  # the exit status that shells report for a program ended by Ctrl-C
_NOBODY_READS = 141  # and for one whose output pipe was closed, as by `| head`


class _Program(WithExamples, click.Group):
    """The group of commands. It turns errors into lines on standard error and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with explaining_usage():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            # Otherwise the interpreter would report the error again when it flushes its buffer at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_NOBODY_READS)
        except ImageLoomError as error:
            raise Failure(_sentence(error), where=error.__notes__[-1]) from error
        except OSError as error:
            raise Failure(_sentence(error), where=address_line("StorageError")) from error
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if ctx.params.get("traceback"):
                raise
            raise Failure(
                f"{type(error).__name__}: {_sentence(error)} (To see where it arose, pass --traceback "
                "before the name of the command.)",
                where=None,
            ) from error

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parses what stands before the name of the command."""
        with explaining_usage():
            return super().make_context(info_name, args, parent, **extra)

    def main(self, *args: Any, **options: Any) -> Any:
        """Runs the program."""
        tolerant_output()
        return super().main(*args, color=colours_wanted(), **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names in the order of addition, which is the order in which users need them."""
        del ctx
        return list(self.commands)


def _sentence(error: BaseException) -> str:
    return in_one_line(" ".join(str(error).split()))


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples="""
    imageloom inspect photos                count the images and find problems
    imageloom browse photos                 look through images, problems and augmentation
    imageloom preview photos -o sheet.png --rotation-range 20 --horizontal-flip
    imageloom check train.py                what is probably not meant in a program
    imageloom explain IL107                 what a warning or an error means, and what to do
    imageloom stats photos -o stats.npz     mean and deviation, for generator.fit("stats.npz")
    imageloom bench photos                  how many workers to use
    imageloom replay state.json --step 1234 the pictures, files and draws of a step of a run
    imageloom verify receipt.json photos    whether the same batches come out elsewhere
    imageloom cache list                    what is kept in your cache directory
    """,
)
@click.version_option(__version__, prog_name="imageloom")
@click.option("--traceback", is_flag=True, help="Show where an unexpected error arose.")
def main(traceback: bool) -> None:
    """Inspect image data sets, and preview what ImageDataGenerator makes of them.

    DIR is a folder with one sub-folder of images for each class, as flow_from_directory reads it, or a
    folder of images. It may be a URL, such as s3://bucket/photos or zip://photos::data.zip.

    Results go to standard output, progress and errors to standard error. The exit status is 0 after
    success, 1 after an error, 2 if the command line is wrong, and 130 after Ctrl-C. Colours appear in a
    terminal only; the environment variables NO_COLOR and FORCE_COLOR decide otherwise.
    """
    del traceback  # read by the group of commands


for command in (inspect, browse, preview, check, explain, stats, bench, replay, verify, cache):
    main.add_command(command)
