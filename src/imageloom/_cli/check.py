"""`imageloom check`: runs a program until its training begins, or reads a folder; prints warnings."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click

from imageloom._addresses import address_line
from imageloom._cli.arguments import (
    SectionedCommand,
    augmentation,
    json_option,
    on_stderr,
    open_folder,
    option,
    reading,
)
from imageloom._cli.values import FACTOR
from imageloom._errors import in_one_line

__all__ = ["check"]

_IMAGES: Final = 256  # of a folder
_HINTS: Final = frozenset({"IL108"})
_CODE: Final = re.compile(r"(?s)(IL\d{3}): (.*)|(.*) \[(IL\d{3})\]")


@dataclass(frozen=True, slots=True)
class _Found:
    """A warning or a hint, and the line that it is about; no line for a folder."""

    code: str
    text: str
    file: str
    line: int

    @classmethod
    def of(cls, text: str, file: str, line: int) -> _Found | None:
        """Takes a message apart; None for those of other libraries."""
        parts = _CODE.fullmatch(text)
        if parts is None:
            return None
        code, words = (parts[1], parts[2]) if parts[1] else (parts[4], parts[3])
        return cls(code, in_one_line(" ".join(words.split())), file, line)

    def __str__(self) -> str:
        place = os.path.relpath(self.file) if self.file else ""
        where = f"{place}:{self.line}: " if self.line else f"{place}: "
        return f"{in_one_line(where)}{self.code} {self.text}"


@click.command(
    cls=SectionedCommand,
    context_settings={"ignore_unknown_options": False},
    examples="""
    imageloom check train.py
    imageloom check photos --color-mode grayscale --rescale 1/255
    imageloom check train.py -- --epochs 5     with arguments for the program
    """,
)
@click.argument("path", type=click.Path(exists=True, path_type=Path), metavar="SCRIPT|DIR")
@click.argument("arguments", nargs=-1, metavar="[-- ARGUMENT...]")
@option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="End a program that has not come to its training by then.",
)
@option(
    "--rescale",
    section="Reading",
    type=FACTOR,
    metavar="X",
    help="Multiply the pixels of DIR, for example by 1/255.",
)
@reading((224, 224))
@augmentation
@json_option
def check(
    path: Path,
    arguments: tuple[str, ...],
    timeout: float,
    rescale: float | None,
    size: tuple[int, int],
    color_mode: str,
    interpolation: str,
    as_json: bool,
    **transforms: Any,
) -> None:
    """Print all warnings and hints about pixels, data and arguments, with their codes.

    SCRIPT is a Python program. It is run, without its output, until its training begins: until a
    framework asks for a first batch, or it has read 20 batches of a flow itself. Nothing behind that is
    run, so no model is trained or saved; what stands before it is run as always. The first batch of
    every flow is looked at, also of those that it has not read.

    DIR is a data set. Up to 256 images of it are read, with the options below.

    The exit status is 1 if there are warnings, or if the program ends with an error. A hint alone is
    none.
    """
    if path.is_dir():
        if arguments:
            raise click.UsageError("Only a program takes further arguments.")
        options = {"rescale": rescale, **transforms}
        reading_options = {"size": size, "color_mode": color_mode, "interpolation": interpolation}
        found, end, failed = _check_folder(path, options, reading_options)
    else:
        found, end, failed = _check_program(path, arguments, timeout)
    found = list(dict.fromkeys(found))
    if as_json:
        click.echo(json.dumps({"findings": [asdict(one) for one in found], "end": end}, indent=1))
    else:
        for one in found:
            click.echo(str(one))
        codes = sorted({one.code for one in found})
        if codes:
            click.echo(address_line(codes[0]))
        click.echo(end)
    if failed or any(one.code not in _HINTS for one in found):
        click.get_current_context().exit(1)


def _check_folder(
    folder: Path, constructor: dict[str, Any], reading_options: dict[str, Any]
) -> tuple[list[_Found], str, bool]:
    from imageloom._warnings import listeners

    texts: list[str] = []

    def listen(text: str, file: str, line: int) -> None:
        del file, line  # of this program
        texts.append(text)

    listeners.append(listen)
    quiet = contextlib.redirect_stderr(io.StringIO())  # the warnings are printed as findings
    try:
        options = {**constructor, "executor": "threads", "cores": 2}
        with quiet:
            flow = open_folder(folder, options, batch_size=_IMAGES, seed=0, **reading_options)
            with on_stderr(), flow:
                images = len(next(flow)[0])
    finally:
        listeners.remove(listen)
    found = [one for text in texts if (one := _Found.of(text, str(folder), 0)) is not None]
    return found, f"{_counted(len(found))} in {images:,} of {flow.n:,} images.", False


def _check_program(
    program: Path, arguments: tuple[str, ...], timeout: float
) -> tuple[list[_Found], str, bool]:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results")
        results.touch()
        late = False
        try:
            subprocess.run(
                [sys.executable, "-m", f"{__package__}.watched_program", results, program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"MPLBACKEND": "Agg", **os.environ},  # no windows
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            late = True
        lines = results.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    found = [
        one
        for r in records
        if r["kind"] == "finding" and (one := _Found.of(r["text"], r["file"], r["line"])) is not None
    ]
    errors = [f"{r['file']}:{r['line']}: {r['text']}" for r in records if r["kind"] == "error"]
    count = _counted(len(set(found)))
    if late:
        return found, f"{count} until the program was ended after {timeout:g} seconds.", True
    if not records or records[-1]["kind"] != "end":
        return found, f"{count} until the program has ended its process itself.", True
    end = records[-1]
    flows = f"{end['flows']} {'flow' if end['flows'] == 1 else 'flows'}"
    words = [f"{count} in {flows}: {end['why']}", *errors]
    if not end["flows"]:
        words.append("It has made no flow of imageloom, such as `flow_from_directory`")
    return found, in_one_line(". ".join(words)) + ".", bool(end["failed"] or errors)


def _counted(number: int) -> str:
    return f"{number} {'finding' if number == 1 else 'findings'}"
