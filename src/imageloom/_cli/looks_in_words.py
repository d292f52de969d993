"""What `imageloom inspect` prints about copies, and about blank, tiny and blurred images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from imageloom._cli.terminal import COLUMNS, columns, cut
from imageloom._errors import in_one_line

if TYPE_CHECKING:
    from imageloom._cli.findings import Findings

__all__ = [
    "first",
    "hints_in_words",
    "in_several_subsets",
    "leaks_in_words",
    "near_duplicates_in_words",
]

_INDENT: Final = "  "
_CONSEQUENCE: Final = "a model would be tested on what it learned by heart"


def leaks_in_words(findings: Findings, shown: int | None) -> list[str]:
    """Copies that lie in several subsets."""
    return [
        *_leaks("the same content", findings.duplicates_between_subsets, shown),
        *_leaks("near-duplicates", findings.near_duplicates_between_subsets, shown),
    ]


def near_duplicates_in_words(findings: Findings, shown: int | None) -> list[str]:
    """Near-duplicates between classes and within them."""
    between = findings.near_duplicates_between_classes
    told = between + in_several_subsets(findings.near_duplicates_between_subsets)
    rest = [group for group in findings.near_duplicates if group not in told]
    return [
        *_groups("near-duplicates between classes: wrong labels?", between, shown),
        *_groups("near-duplicates: keep them in one subset", rest, shown),
    ]


def in_several_subsets(groups: Sequence[Mapping[str, Sequence[str]]]) -> list[list[str]]:
    """The same groups without the names of the subsets."""
    return [sorted({name for names in group.values() for name in names}) for group in groups]


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
    members = [
        [(name, f" ({in_one_line(subset)})") for subset in sorted(group) for name in group[subset]]
        for group in groups
    ]
    return _listed(f"{what} across subsets:", members, shown, [f"{_INDENT}{_CONSEQUENCE}"])


def _groups(title: str, groups: Sequence[Sequence[str]], shown: int | None) -> list[str]:
    return _listed(title, [[(name, "") for name in group] for group in groups], shown)


def _listed(
    title: str,
    groups: Sequence[Sequence[tuple[str, str]]],
    shown: int | None,
    explained: Sequence[str] = (),
) -> list[str]:
    """Lines for groups of names, each with what is said behind it."""
    if not groups:
        return []
    lines = [f"{len(groups):,} {'group' if len(groups) == 1 else 'groups'} of {title}", *explained]
    for group in groups if shown is None else groups[:shown]:
        named = [
            _line(name, "  " if number else "- ", behind) for number, (name, behind) in enumerate(group)
        ]
        lines += first(named, shown, _INDENT * 2)
    more = 0 if shown is None else len(groups) - shown
    return [*lines, f"{_INDENT}and {more:,} more (--all)"] if more > 0 else lines


def _line(name: str, before: str = "", behind: str = "") -> str:
    start = _INDENT + before
    return f"{start}{cut(in_one_line(name), COLUMNS - len(start) - columns(behind))}{behind}"
