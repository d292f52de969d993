"""`imageloom cache`: shows what is kept to save work in later runs, and removes it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imageloom._cli.arguments import SectionedCommand, WithExamples, json_option, option
from imageloom._cli.terminal import cut, room_of_terminal
from imageloom._errors import in_one_line

if TYPE_CHECKING:
    from imageloom._pipeline.cache_folder import Generation
    from imageloom._sources.index import KeptIndex

__all__ = ["cache"]

_Doomed = tuple[list[Path], str]  # files, and what they are in words


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
    """Show or remove what imageloom keeps to save work.

    These are listings of data folders, in your cache directory, and decoded images, in the directories
    that generators were given as cache. They may be removed at any time. The environment variable
    IMAGELOOM_CACHE_DIR names another cache directory.
    """


_of_images = option(
    "--images",
    "images",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    metavar="DIR",
    help="Look at nothing but the decoded images in DIR, a directory that was given as cache.",
)


@cache.command(
    "list",
    cls=SectionedCommand,
    examples="""
    imageloom cache list
    imageloom cache list --images decoded
    imageloom cache list --json | jq '.indexes[].folder'
    """,
)
@_of_images
@json_option
def list_(images: Path | None, as_json: bool) -> None:
    """List what is kept, with the size and the day of the last use."""
    from imageloom._sources.index import index_folder, kept_indexes

    place = index_folder()
    kept = kept_indexes() if images is None else []
    caches = _caches(images)
    if as_json:
        found = {
            "directory": place and str(place),
            "indexes": [_described(index) for index in kept],
            "caches": [
                {"directory": str(folder), "data_sets": [_described_images(one) for one in those]}
                for folder, those in caches
            ],
        }
        click.echo(json.dumps(found, indent=1))
        return
    if images is None:
        _list_indexes(place, kept)
    for folder, those in caches:
        total = _size(sum(one.nbytes for one in those))
        click.echo(f"decoded images of {len(those)} data sets, {total}, in {_shown(folder)}")
        for one in those:
            _line(one.nbytes, one.used, _shown(one.root), gone=one.root is not None and _is_gone(one))


def _list_indexes(place: Path | None, kept: Sequence[KeptIndex]) -> None:
    if place is None:
        click.echo("There is no cache directory, because you have no home directory.")
        return
    total = _size(sum(index.nbytes for index in kept))
    click.echo(f"{len(kept)} listings of data folders, {total}, in {_shown(place)}")
    for index in kept:
        gone = index.folder is not None and not _exists(index)
        _line(index.nbytes, index.used, _shown(index.folder), gone=gone)


def _line(nbytes: int, used: float, name: str, *, gone: bool) -> None:
    before, after = f"  {_size(nbytes):>10}  {_day(used)}  ", "  (gone)" if gone else ""
    room = room_of_terminal()
    shown = name if room is None else cut(name, room - len(before) - len(after))
    click.echo(f"{before}{shown}{after}")


def _caches(images: Path | None) -> list[tuple[Path, list[Generation]]]:
    """The directories with decoded images, and what is in them."""
    from imageloom._pipeline.cache_folder import generations, known_folders

    folders = [folder for folder, _ in known_folders()] if images is None else [images]
    return [(folder, generations(folder)) for folder in folders if folder.is_dir()]


@cache.command(
    cls=SectionedCommand,
    examples="""
    imageloom cache prune
    imageloom cache prune --all
    imageloom cache prune --all --images decoded
    imageloom cache prune --data-folder photos
    """,
)
@option("--all", "everything", is_flag=True, help="Remove those of all data folders.")
@_of_images
@option(
    "--data-folder",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Remove nothing but the file .imageloom-index that an earlier version wrote into DIR.",
)
@option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def prune(
    everything: bool, images: Path | None, folder: Path | None, dry_run: bool, as_json: bool
) -> None:
    """Remove listings and decoded images of data folders that are gone, and damaged ones.

    What killed programs have left goes, too. Images that a program uses at the moment stay.
    """
    if folder is not None and (everything or images is not None):
        raise click.UsageError("--data-folder excludes --all and --images.")
    if folder is not None:
        doomed = list(_earlier_index(folder))
    else:
        doomed = list(_doomed_images(_caches(images), everything=everything))
        if images is None:
            doomed = [*_doomed_indexes(everything=everything), *doomed]
    for paths, words in doomed:
        for path in [] if dry_run else paths:
            path.unlink(missing_ok=True)  # another program may have been faster
        if not as_json:
            click.echo(f"{'Would remove' if dry_run else 'Removed'} {words}")
    if as_json:
        removed = [str(path) for paths, _ in doomed for path in paths]
        click.echo(json.dumps({"removed": removed, "dry_run": dry_run}, indent=1))
    elif not doomed:
        click.echo("There is nothing to remove.")


def _earlier_index(folder: Path) -> Iterator[_Doomed]:
    from imageloom._sources.index import EARLIER_NAME

    earlier = folder / EARLIER_NAME
    if earlier.is_symlink() or earlier.is_file():
        yield [earlier], _shown(earlier)


def _doomed_indexes(*, everything: bool) -> Iterator[_Doomed]:
    from imageloom._pipeline.cache_folder import known_folders
    from imageloom._sources.index import kept_indexes

    for index in kept_indexes():
        if everything or not _exists(index):
            yield [index.path], f"the listing of {_shown(index.folder)}"
    for folder, note in known_folders():
        if not folder.is_dir():
            yield [note], f"the note of {_shown(folder)}, which had decoded images"


def _doomed_images(
    caches: Sequence[tuple[Path, Sequence[Generation]]], *, everything: bool
) -> Iterator[_Doomed]:
    from imageloom._storage.atomic import old_drafts

    for folder, those in caches:
        for one in those:
            if (everything or _is_gone(one)) and not one.in_use:
                yield one.files, f"the decoded images of {_shown(one.root)} in {_shown(folder)}"
        if drafts := old_drafts(folder):
            yield drafts, f"{len(drafts)} unfinished files in {_shown(folder)}"


def _described(index: KeptIndex) -> dict[str, Any]:
    return {
        "folder": index.folder,
        "exists": _exists(index),
        "bytes": index.nbytes,
        "used": _day(index.used),
        "file": str(index.path),
    }


def _described_images(one: Generation) -> dict[str, Any]:
    return {
        "folder": one.root,
        "exists": not _is_gone(one),
        "bytes": one.nbytes,
        "used": _day(one.used),
        "files": [str(path) for path in one.files],
    }


def _exists(index: KeptIndex) -> bool:
    return index.folder is not None and os.path.isdir(index.folder)


def _is_gone(one: Generation) -> bool:
    """Whether the images of a data set cannot be of use again."""
    from imageloom._storage.urls import is_url

    root = one.root
    return root is None or not (root == "" or is_url(root) or os.path.isdir(root))


def _shown(path: str | Path | None) -> str:
    if path is None:
        return "no folder: damaged, or of another version"
    return in_one_line(click.format_filename(path)) or "files in many folders"


def _day(used: float) -> str:
    return datetime.fromtimestamp(used, UTC).date().isoformat()


def _size(nbytes: int) -> str:
    if nbytes >= 10**9:
        return f"{nbytes / 10**9:,.1f} GB"
    return f"{nbytes / 1000:,.1f} kB" if nbytes < 10**6 else f"{nbytes / 10**6:,.1f} MB"
