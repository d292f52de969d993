"""`imageloom replay`: draws the batch of any step of a run, from a saved state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from imageloom._cli.arguments import SectionedCommand, json_option, on_stderr, option
from imageloom._cli.output import OutputFile
from imageloom._cli.saved import read_json, table_option
from imageloom._cli.terminal import heading, padded
from imageloom._cli.values import Place
from imageloom._errors import in_one_line
from imageloom._storage.atomic import replacing

__all__ = ["replay"]


@click.command(
    cls=SectionedCommand,
    examples="""
    imageloom replay state.json --step 1234 -o step.png
    imageloom replay position.json --step 0 --data /mnt/photos --json
    imageloom replay state.json --step 7 --table train.csv --data photos
    """,
)
@click.argument("state", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="STATE")
@option(
    "--step",
    type=click.IntRange(0, 2**62 - 1),
    required=True,
    metavar="N",
    help="The batch to show, counted from 0 over all epochs; with shards, those of the shard.",
)
@option(
    "-o",
    "--output",
    type=OutputFile(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"),
    default="replay.png",
    show_default=True,
    help="The picture to write; its suffix decides about the format.",
)
@option(
    "--data",
    "folder",
    type=Place(files=False),
    metavar="DIR",
    help="The folder or URL of the images, shards or Parquet files.  [default: the one of the run]",
)
@table_option
@json_option
def replay(
    state: Path,
    step: int,
    output: Path,
    folder: Path | str | None,
    table: Path | str | None,
    as_json: bool,
) -> None:
    """Draw the exact pictures of step N of a run.

    STATE is a JSON file of it.state_dict(), the file of ResumeCallback, or a receipt. Each row of the
    sheet is a sample of the batch: the image as stored, and as the model got it, before the
    normalisation, with its file, its target and what was drawn. The data must be those of the run.
    Runs with functions of yours are replayed in Python: it.replay(step).
    """
    from imageloom._api.rebuilding import at_state, rebuilt, state_in

    saved = read_json(state)
    with on_stderr():
        flow = rebuilt(
            saved,
            folder,
            table,
            instead="make the iterator as in the run and call it.replay(step), or it.batch(step)",
            pictures=True,
            executor="serial",
        )
        with flow:
            at_state(flow, state_in(saved))
            sheet = flow.replay(step)
        with replacing(output) as draft:
            sheet.save(draft)
    if as_json:
        drawn = {"samples": sheet.info["versions"], "notes": sheet.info["notes"]}
        click.echo(json.dumps({"file": str(output), "step": step, **drawn}, indent=1))
        return
    for row in _rows(sheet.info["versions"]):
        click.echo(row)
    click.echo(in_one_line(str(output)))


def _rows(samples: list[dict[str, Any]]) -> list[str]:
    """A line for each sample: the file, the target, and what was drawn."""
    files = [in_one_line(sample["file"]) for sample in samples]
    targets = [in_one_line(sample["target"]) for sample in samples]
    widths = [min(30, max(map(len, column), default=0)) for column in (files, targets)]
    lines = [f"{heading(padded('file', widths[0]))}  {heading('target')}"]
    for sample, file, target in zip(samples, files, targets, strict=True):
        drawn = ", ".join(sample["drawn"])
        lines.append(f"{padded(file, widths[0])}  {padded(target, widths[1])}  {drawn}".rstrip())
    return lines
