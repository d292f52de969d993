"""`imageloom inspect`: what is in a data set, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from imageloom._cli.arguments import (
    SectionedCommand,
    directory,
    json_option,
    on_stderr,
    option,
)

if TYPE_CHECKING:
    from imageloom._cli.findings import Findings

__all__ = ["inspect"]

_SHOWN: Final = 10  # of a list, in words
_CLASSES_SHOWN: Final = 40
_BAR: Final = 24
_IMBALANCED: Final = 5.0


@click.command(
    cls=SectionedCommand,
    examples="""
    imageloom inspect photos
    imageloom inspect photos --json | jq '.unreadable'
    """,
)
@directory
@option(
    "--all", "everything", is_flag=True, help=f"Print lists in full, not their first {_SHOWN} entries."
)
@json_option
def inspect(folder: Path, everything: bool, as_json: bool) -> None:
    """Report classes, sizes, formats and what is wrong.

    Every image of DIR is decoded as batches would decode it: classes and their counts, as
    flow_from_directory has them; sizes, formats and modes; unreadable files; files with the same
    content, also in several classes; orientation tags, which are ignored in training; animations; huge
    images; wrong suffixes; empty folders; files that are not read at all.

    The exit status is 1 if there are unreadable files, or no images.
    """
    from imageloom._cli.findings import find_out
    from imageloom._sources.listing import class_folders

    with on_stderr():
        findings = find_out(folder, has_classes=bool(class_folders(folder)))
    if as_json:
        click.echo(json.dumps(asdict(findings), indent=1))
    else:
        click.echo("\n".join(_in_words(findings, None if everything else _SHOWN)))
    if findings.unreadable or not findings.images:
        click.get_current_context().exit(1)


def _in_words(findings: Findings, shown: int | None) -> list[str]:
    classes = len(findings.classes)
    noun = "class" if classes == 1 else "classes"
    lines = [f"{findings.images:,} images of {classes} {noun} in {findings.folder}"]
    lines += _first(_bars(findings.classes), None if shown is None else _CLASSES_SHOWN)
    for title, counts in (
        ("Sizes, width x height", findings.sizes),
        ("Formats", findings.formats),
        ("Modes", findings.modes),
    ):
        if counts:
            different = f" ({len(counts)} different)" if len(counts) > 1 else ""
            rows = [f"  {count:>9,}  {name}" for name, count in counts.items()]
            lines += ["", f"{title}{different}", *_first(rows, shown)]
    remarks = _remarks(findings, shown)
    return [*lines, "", *(remarks or ["Nothing unusual."])]


def _bars(counts: Mapping[str, int]) -> list[str]:
    largest = max(counts.values(), default=0) or 1
    width = min(40, max((len(name) for name in counts), default=0))
    return [
        f"  {name:{width}}  {count:>9,}  {'#' * round(_BAR * count / largest)}".rstrip()
        for name, count in counts.items()
    ]


def _remarks(findings: Findings, shown: int | None) -> list[str]:
    """Everything that somebody may want to change, each with its consequence."""
    lists: list[tuple[str, Sequence[Any]]] = [
        (
            'unreadable: training stops there, or replaces them with on_bad_image="replace"',
            [f"{name}: {why}" for name, why in findings.unreadable.items()],
        ),
        (
            "the same content in several classes: one of the labels is wrong",
            [", ".join(same) for same in findings.duplicates_between_classes],
        ),
        (
            "the same content more than once: it may be in training and validation",
            [", ".join(g) for g in findings.duplicates if g not in findings.duplicates_between_classes],
        ),
        ("with an orientation tag, which is ignored, as in Keras", findings.turned_by_exif),
        ("animations, or files of several pages: the first is read", findings.several_frames),
        ('huge images: decode="scaled" reads them several times as fast', findings.large),
        (
            "in another format than their suffix says: read by their content",
            [f"{name}: {kind}" for name, kind in findings.wrong_suffix.items()],
        ),
        ("folders without images: they count as classes all the same", findings.empty_classes),
        (
            "suffixes of files that are not read",
            [f"{suffix}: {count:,}" for suffix, count in findings.other_files.items()],
        ),
    ]
    lines = []
    for title, entries in lists:
        if entries:
            lines += [f"{len(entries):,} {title}", *_first([f"  {e}" for e in entries], shown)]
    return lines + _balance(findings.classes)


def _balance(counts: Mapping[str, int]) -> list[str]:
    filled = {name: count for name, count in counts.items() if count}
    if len(filled) < 2:
        return []
    smallest, largest = min(filled, key=filled.__getitem__), max(filled, key=filled.__getitem__)
    ratio = filled[largest] / filled[smallest]
    if ratio < _IMBALANCED:
        return []
    return [
        f"{largest!r} has {ratio:.0f} times as many images as {smallest!r}: balance=True draws classes "
        "evenly, class_weights() is for Keras' class_weight"
    ]


def _first(lines: list[str], shown: int | None) -> list[str]:
    more = 0 if shown is None else len(lines) - shown
    return lines if more <= 0 else [*lines[:shown], f"  and {more:,} more (--all)"]
