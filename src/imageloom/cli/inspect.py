"""`imageloom inspect`: what is in a data set, and what is wrong with it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from imageloom.cli.arguments import directory
from imageloom.executors.cpus import available_cpus
from imageloom.progress import progress_bar
from imageloom.sources.listing import WHITE_LIST_FORMATS

__all__ = ["Findings", "inspect"]

_SHOWN: Final = 10  # of a list, in words


@dataclass(frozen=True, slots=True)
class _Look:
    """What one file turned out to be."""

    name: str
    digest: str
    size: tuple[int, int] | None  # (width, height); None if it cannot be read
    mode: str
    error: str


@dataclass(slots=True)
class Findings:
    """What a look at every file has found.

    Attributes:
        images: files that can be read.
        classes: images by class.
        sizes: images by "width x height".
        modes: images by Pillow's mode.
        unreadable: reason by file.
        duplicates: groups of files with the same content.
        ignored: files with other suffixes, which are never read.
    """

    images: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    duplicates: list[list[str]] = field(default_factory=list)
    ignored: int = 0


@click.command()
@directory
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def inspect(folder: Path, as_json: bool) -> None:
    """Look at every image of DIR: classes, sizes, modes, unreadable files, duplicates.

    The status is 1 if there are unreadable files, so that a script can tell.
    """
    findings = _inspected(folder)
    click.echo(json.dumps(asdict(findings), indent=1) if as_json else _in_words(findings))
    sys.exit(1 if findings.unreadable else 0)


def _inspected(folder: Path) -> Findings:
    names = list(_files(folder))
    images = [name for name in names if name.lower().endswith(WHITE_LIST_FORMATS)]
    findings = Findings(ignored=len(names) - len(images))
    classes, sizes, modes = Counter[str](), Counter[str](), Counter[str]()
    by_digest: dict[str, list[str]] = defaultdict(list)
    with (
        ThreadPoolExecutor(available_cpus()) as pool,  # the decoders leave the interpreter lock
        progress_bar(len(images), "inspect", "images") as bar,
    ):
        for look in pool.map(lambda name: _look_at(folder, name), images):
            bar.update()
            by_digest[look.digest].append(look.name)
            if look.size is None:
                findings.unreadable[look.name] = look.error
                continue
            classes[look.name.partition(os.sep)[0] if os.sep in look.name else "."] += 1
            sizes[f"{look.size[0]} x {look.size[1]}"] += 1
            modes[look.mode] += 1
    findings.images = sum(classes.values())
    findings.classes = dict(sorted(classes.items()))
    findings.sizes, findings.modes = dict(sizes.most_common()), dict(modes.most_common())
    findings.duplicates = [same for same in by_digest.values() if len(same) > 1]
    return findings


def _files(folder: Path) -> Iterator[str]:
    """All files below, by name, but for hidden ones."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield os.path.relpath(os.path.join(place, name), folder)


def _look_at(folder: Path, name: str) -> _Look:
    from imageloom.images import load_img

    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        return _Look(name, f"unread {name}", None, "", str(error))
    digest = hashlib.sha256(content).hexdigest()
    try:
        image = load_img(folder / name, color_mode="rgba")
    except (OSError, ValueError) as error:
        return _Look(name, digest, None, "", str(error))
    return _Look(name, digest, image.size, _mode(folder / name), "")


def _mode(path: Path) -> str:
    from PIL import Image

    with Image.open(path) as image:
        return str(image.mode)


def _in_words(findings: Findings) -> str:
    lines = [f"{findings.images} images in {len(findings.classes)} classes"]
    width = max((len(name) for name in findings.classes), default=0)
    lines += [f"  {name:{width}}  {count:,}" for name, count in findings.classes.items()]
    lines += _table("sizes (width x height)", findings.sizes)
    lines += _table("modes", findings.modes)
    if findings.unreadable:
        lines.append(f"unreadable: {len(findings.unreadable)}")
        lines += _first([f"  {name}: {why}" for name, why in findings.unreadable.items()])
    if findings.duplicates:
        lines.append(f"the same content: {len(findings.duplicates)} groups of files")
        lines += _first(["  " + ", ".join(same) for same in findings.duplicates])
    if findings.ignored:
        lines.append(f"files that are no images by their names: {findings.ignored}")
    return "\n".join(lines)


def _table(title: str, counts: dict[str, int]) -> list[str]:
    return [title, *_first([f"  {name}  {count:,}" for name, count in counts.items()])]


def _first(lines: list[Any]) -> list[Any]:
    more = len(lines) - _SHOWN
    return lines if more <= 0 else [*lines[:_SHOWN], f"  and {more} more"]
