"""`imageloom cache`: shows what is kept in the user's cache directory, and removes it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imageloom._cli.arguments import SectionedCommand, WithExamples, json_option, option
from imageloom._text import in_one_line

if TYPE_CHECKING:
    from imageloom._sources.index import KeptIndex

__all__ = ["cache"]


class _Group(WithExamples, click.Group):
    """A group of commands whose help ends with examples."""


@click.group(
    cls=_Group,
    examples="""
    imageloom cache list
    imageloom cache prune --dry-run
    """,
)
def cache() -> None:
    """Show or remove what imageloom keeps in your cache directory.

    These are listings of data folders, which save the time to list them again. They may be removed at
    any time. The environment variable IMAGELOOM_CACHE_DIR names another directory.
    """


@cache.command(
    "list",
    cls=SectionedCommand,
    examples="""
    imageloom cache list
    imageloom cache list --json | jq '.indexes[].folder'
    """,
)
@json_option
def list_(as_json: bool) -> None:
    """List the data folders whose listings are kept, with the size and the day of the last use."""
    from imageloom._sources.index import index_folder, kept_indexes

    place, kept = index_folder(), kept_indexes()
    if as_json:
        found = [_described(index) for index in kept]
        click.echo(json.dumps({"directory": place and str(place), "indexes": found}, indent=1))
        return
    if place is None:
        click.echo("There is no cache directory, because you have no home directory.")
        return
    total = _size(sum(index.nbytes for index in kept))
    click.echo(f"{len(kept)} listings of data folders, {total}, in {click.format_filename(place)}")
    for index in kept:
        gone = "  (gone)" if index.folder is not None and not _exists(index) else ""
        click.echo(f"  {_size(index.nbytes):>10}  {_day(index)}  {_name(index)}{gone}")


@cache.command(
    cls=SectionedCommand,
    examples="""
    imageloom cache prune
    imageloom cache prune --all
    imageloom cache prune --data-folder photos
    """,
)
@option("--all", "everything", is_flag=True, help="Remove the listings of all data folders.")
@option(
    "--data-folder",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Remove nothing but the file .imageloom-index that an earlier version wrote into DIR.",
)
@option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def prune(everything: bool, folder: Path | None, dry_run: bool, as_json: bool) -> None:
    """Remove the listings of data folders that are gone, and damaged ones."""
    from imageloom._sources.index import EARLIER_NAME, kept_indexes

    if everything and folder is not None:
        raise click.UsageError("--all and --data-folder exclude each other.")
    doomed: list[tuple[Path, str]] = []
    if folder is not None:
        earlier = folder / EARLIER_NAME
        if earlier.is_symlink() or earlier.is_file():
            doomed = [(earlier, click.format_filename(earlier))]
    else:
        doomed = [
            (index.path, f"the listing of {_name(index)}")
            for index in kept_indexes()
            if everything or not _exists(index)
        ]
    for path, words in doomed:
        if not dry_run:
            path.unlink(missing_ok=True)  # another program may have been faster
        if not as_json:
            click.echo(f"{'Would remove' if dry_run else 'Removed'} {words}")
    if as_json:
        removed = [str(path) for path, _ in doomed]
        click.echo(json.dumps({"removed": removed, "dry_run": dry_run}, indent=1))
    elif not doomed:
        click.echo("There is nothing to remove.")


def _described(index: KeptIndex) -> dict[str, Any]:
    return {
        "folder": index.folder,
        "exists": _exists(index),
        "bytes": index.nbytes,
        "used": _day(index),
        "file": str(index.path),
    }


def _exists(index: KeptIndex) -> bool:
    return index.folder is not None and os.path.isdir(index.folder)


def _name(index: KeptIndex) -> str:
    return (
        "no folder: damaged, or of another version"
        if index.folder is None
        else in_one_line(index.folder)
    )


def _day(index: KeptIndex) -> str:
    return datetime.fromtimestamp(index.used, UTC).date().isoformat()


def _size(nbytes: int) -> str:
    return f"{nbytes / 1000:,.1f} kB" if nbytes < 10**6 else f"{nbytes / 10**6:,.1f} MB"
