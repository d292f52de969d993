"""What `imageloom inspect` prints about copies, and about blank, tiny and blurred images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from imageloom._cli.terminal import COLUMNS, columns, cut
from imageloom._errors import in_one_line

if TYPE_CHECKING:
    from imageloom._cli.findings import Findings

__all__ = ["first", "hints_in_words", "leaks_in_words", "near_duplicates_in_words"]

_INDENT: Final = "  "


def leaks_in_words(findings: Findings, shown: int | None) -> list[str]:
    """Copies that lie in several subsets."""
    return [
        *_leaks("the same content", findings.duplicates_between_subsets, shown),
        *_leaks("near-duplicates", findings.near_duplicates_between_subsets, shown),
    ]


def near_duplicates_in_words(findings: Findings, shown: int | None) -> list[str]:
    """Near-duplicates between classes and within them."""
    between = findings.near_duplicates_between_classes
    leaking = [
        sorted({name for names in group.values() for name in names})
        for group in findings.near_duplicates_between_subsets
    ]
    rest = [group for group in findings.near_duplicates if group not in between + leaking]
    return [
        *_groups("near-duplicates in several classes: wrong labels?", between, shown),
        *_groups("near-duplicates: keep them in one subset", rest, shown),
    ]


def hints_in_words(findings: Findings, shown: int | None) -> list[str]:
    """Images that perhaps should not be there."""
    lines: list[str] = []
    for title, names in (
        ("blank: nearly all pixels have one colour", findings.blank),
        ("far smaller than the others", findings.tiny),
        ("perhaps blurred: without the sharp edges of the others", findings.blurred),
    ):
        if names:
            lines += [f"{len(names):,} {title}", *first([_line(name) for name in names], shown)]
    return lines


def first(lines: Sequence[str], shown: int | None, indent: str = _INDENT) -> list[str]:
    """So many lines, and how many more there are."""
    more = 0 if shown is None else len(lines) - shown
    return list(lines) if more <= 0 else [*lines[:shown], f"{indent}and {more:,} more (--all)"]


def _leaks(what: str, groups: Sequence[Mapping[str, Sequence[str]]], shown: int | None) -> list[str]:
    if not groups:
        return []
    subsets = sorted({subset for group in groups for subset in group})
    title = f"{_groups_of(len(groups))} {what} in several subsets:"
    lines = [title, f"{_INDENT}scores on one of them are too good"]
    for group in groups if shown is None else groups[:shown]:
        for number, subset in enumerate(subset for subset in subsets if subset in group):
            before = "- " if number == 0 else "  "
            lines += first(
                [_line(name, before, f" ({in_one_line(subset)})") for name in group[subset]],
                shown,
                "    ",
            )
    return lines + _more(len(groups), shown)


def _groups(title: str, groups: Sequence[Sequence[str]], shown: int | None) -> list[str]:
    if not groups:
        return []
    lines = [f"{_groups_of(len(groups))} {title}"]
    for group in groups if shown is None else groups[:shown]:
        named = [_line(name, "  " if number else "- ") for number, name in enumerate(group)]
        lines += first(named, shown, "    ")
    return lines + _more(len(groups), shown)


def _groups_of(count: int) -> str:
    return f"{count:,} {'group' if count == 1 else 'groups'} of"


def _more(count: int, shown: int | None) -> list[str]:
    more = 0 if shown is None else count - shown
    return [f"{_INDENT}and {more:,} more (--all)"] if more > 0 else []


def _line(name: str, before: str = "", behind: str = "") -> str:
    start = _INDENT + before
    return f"{start}{cut(in_one_line(name), COLUMNS - len(start) - columns(behind))}{behind}"
