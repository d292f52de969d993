"""`imageloom inspect`: counts the images of a data set, and finds problems."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from imageloom._cli.arguments import (
    SectionedCommand,
    extensions_option,
    json_option,
    on_stderr,
    option,
)
from imageloom._cli.looks_in_words import (
    first,
    hints,
    hints_in_words,
    in_several_subsets,
    leaks,
    leaks_in_words,
    near_duplicates_in_words,
    near_duplicates_within,
)
from imageloom._cli.splits import split_options, splitting_of
from imageloom._cli.tables import columns_of, table_options
from imageloom._cli.terminal import COLUMNS, columns, cut, heading, padded
from imageloom._cli.values import Place
from imageloom._errors import in_one_line

if TYPE_CHECKING:
    from imageloom._cli.findings import Findings

__all__ = ["inspect", "remarks", "texts_of"]

Entries = Sequence[str] | Sequence[Sequence[str]] | Mapping[str, str] | Mapping[str, int]

_SHOWN: Final = 10  # entries of a list, in the text
_CLASSES_SHOWN: Final = 40
_BAR: Final = 24  # of the largest class, in columns
_LONGEST_NAME: Final = 32  # of a class, in columns; the bars are shorter then
_AROUND: Final = 15  # columns for the count and the spaces of a bar
_IMBALANCED: Final = 5.0
_NO_PROBLEM: Final = frozenset(("empty-class",))  # the folder may be filled later


@click.command(
    cls=SectionedCommand,
    examples="""
    imageloom inspect photos
    imageloom inspect photos --json | jq '.unreadable'
    imageloom inspect photos --validation-split 0.2 --split stratified
    """,
)
@click.argument("place", type=Place(files=True), metavar="DIR|TABLE")
@split_options
@table_options
@extensions_option
@option(
    "--all",
    "everything",
    is_flag=True,
    help=f"Print all entries of lists, not only the first {_SHOWN}.",
)
@json_option
def inspect(
    place: Path | str,
    validation_split: float | None,
    split: str,
    split_seed: int,
    groups: str | None,
    fold: tuple[int, int] | None,
    directory: str | None,
    x_col: str,
    y_col: tuple[str, ...],
    weight_col: str | None,
    class_mode: str,
    extensions: list[str] | str | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Report classes, sizes, formats and problems.

    Decodes every image of DIR, or of those that a TABLE (.csv or .tsv) names, as batches would decode
    it. Reports the classes and their counts, as flow_from_directory and flow_from_dataframe find them;
    data that cannot be meant; sizes, formats and modes; unreadable files; files with the same content,
    and near-duplicates (encoded again, resized, slightly cropped, brightened), also across classes and
    subsets; blank, tiny and blurred images; orientation tags, which training ignores; animations; huge
    images; wrong suffixes; empty folders; and files that are not read.

    The exit status is 1 if there are unreadable files, data that cannot be meant, or no images; and if
    several classes or subsets have the same content or near-duplicates. Near-duplicates elsewhere, and
    blank, tiny and blurred images, are hints and do not change it.
    """
    from imageloom._cli.findings import examine
    from imageloom._cli.listed import list_data

    columns = columns_of(directory, x_col, y_col, weight_col, class_mode)
    options = splitting_of(place, validation_split, split, split_seed, groups, fold)
    with on_stderr():
        listed = list_data(place, columns, options, extensions)
        for mistake in listed.mistakes:
            if mistake.kind in _NO_PROBLEM:
                click.echo(f"Warning: {in_one_line(mistake.text)}", err=True)
        findings = examine(place, listed)
    if as_json:
        click.echo(json.dumps(asdict(findings), indent=1))
    else:
        lines = _in_words(findings, None if everything else _SHOWN)
        click.echo("\n".join(_styled(in_one_line(line)) for line in lines))
    if _has_problems(findings):
        click.get_current_context().exit(1)


def _has_problems(findings: Findings) -> bool:
    return bool(
        findings.unreadable
        or findings.duplicates_between_classes
        or findings.duplicates_between_subsets
        or findings.near_duplicates_between_classes
        or findings.near_duplicates_between_subsets
        or {mistake["kind"] for mistake in findings.mistakes} - _NO_PROBLEM
        or not findings.images
    )


def _in_words(findings: Findings, shown: int | None) -> list[str]:
    classes = len(findings.classes)
    noun = "class" if classes == 1 else "classes"
    lines = [f"{findings.images:,} images of {classes} {noun} in {findings.folder}"]
    lines += first(_bars(findings.classes), None if shown is None else _CLASSES_SHOWN)
    for title, counts in (
        ("Sizes, width x height", findings.sizes),
        ("Formats", findings.formats),
        ("Modes", findings.modes),
    ):
        if counts:
            different = f" ({len(counts)} different)" if len(counts) > 1 else ""
            rows = [f"  {count:>9,}  {cut(name, COLUMNS - 13)}" for name, count in counts.items()]
            lines += ["", f"{title}{different}", *first(rows, shown)]
    remarks = _remarks(findings, shown)
    return [*lines, "", *(remarks or ["Nothing unusual."])]


def _styled(line: str) -> str:
    """Colours the bars, and makes headings bold."""
    if not line.startswith("  "):
        return heading(line) if line else line
    before, space, bar = line.rpartition("  ")
    return f"{before}{space}{click.style(bar, fg='cyan')}" if set(bar) == {"#"} else line


def _bars(counts: Mapping[str, int]) -> list[str]:
    largest = max(counts.values(), default=0) or 1
    names = {in_one_line(name): count for name, count in counts.items()}
    width = min(_LONGEST_NAME, max(map(columns, names), default=0))
    longest = min(_BAR, COLUMNS - _AROUND - width)
    return [
        f"  {padded(name, width)}  {count:>9,}  {'#' * round(longest * count / largest)}".rstrip()
        for name, count in names.items()
    ]


def _remarks(findings: Findings, shown: int | None) -> list[str]:
    lines = leaks_in_words(findings, shown)
    for title, entries in _remarks_about_files(findings):
        texts = [f"  {text}" for text in texts_of(entries)]
        lines += [f"{len(entries):,} {title}", *first(texts, shown)]
    lines += near_duplicates_in_words(findings, shown) + hints_in_words(findings, shown)
    return lines + _balance(findings.classes)


def texts_of(entries: Entries) -> list[str]:
    """The entries of a remark in words, one line each."""
    if isinstance(entries, Mapping):
        return [f"{n}: {v:,}" if isinstance(v, int) else f"{n}: {v}" for n, v in entries.items()]
    return [entry if isinstance(entry, str) else ", ".join(entry) for entry in entries]


def remarks(findings: Findings) -> list[tuple[str, Entries]]:
    """Returns what users may want to change, each item with its consequence, and what it is about.

    Entries are texts or names of files, groups of names, or a text or number by name.
    """
    return [
        *leaks(findings),
        *_remarks_about_files(findings),
        *near_duplicates_within(findings),
        *hints(findings),
        *((text, ()) for text in _balance(findings.classes)),
    ]


def _remarks_about_files(findings: Findings) -> list[tuple[str, Entries]]:
    apart = {*_NO_PROBLEM, "same-picture"}  # the groups below tell more
    mistakes = [mistake["text"] for mistake in findings.mistakes if mistake["kind"] not in apart]
    between = findings.duplicates_between_classes
    told = between + in_several_subsets(findings.duplicates_between_subsets)
    lists: list[tuple[str, Entries]] = [
        ("kinds of data that cannot be meant", mistakes),
        (
            'unreadable: training stops at such a file; on_bad_image="replace" replaces it',
            findings.unreadable,
        ),
        ("groups of files with the same content in several classes: some labels are wrong", between),
        (
            "groups of files with the same content: it may be in both training and validation",
            [group for group in findings.duplicates if group not in told],
        ),
        (
            "with an orientation tag, which is ignored, as in Keras; exif_orientation=True turns them",
            findings.turned_by_exif,
        ),
        ("animations, or files of several pages: only the first is read", findings.several_frames),
        ('huge images: decode="scaled" reads large JPEG files several times as fast', findings.large),
        (
            "in another format than their suffix says: they are read according to their content",
            findings.wrong_suffix,
        ),
        ("folders without images: they count as classes nevertheless", findings.empty_classes),
        ("suffixes of files that are not read", findings.other_files),
    ]
    return [(title, entries) for title, entries in lists if entries]


def _balance(counts: Mapping[str, int]) -> list[str]:
    filled = {name: count for name, count in counts.items() if count}
    if len(filled) < 2:
        return []
    smallest, largest = min(filled, key=filled.__getitem__), max(filled, key=filled.__getitem__)
    ratio = filled[largest] / filled[smallest]
    if ratio < _IMBALANCED:
        return []
    return [
        f"{largest!r} has {ratio:.0f} times as many images as {smallest!r}: balance=True draws all "
        "classes equally often, and class_weights() returns weights for Keras' class_weight"
    ]
