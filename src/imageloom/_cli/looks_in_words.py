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
    "hints",
    "hints_in_words",
    "in_several_subsets",
    "leaks",
    "leaks_in_words",
    "near_duplicates_in_words",
    "near_duplicates_within",
]

_INDENT: Final = "  "
_CONSEQUENCE: Final = "a model would be tested on what it learned by heart"


def leaks(findings: Findings) -> list[tuple[str, list[list[str]]]]:
    """Groups of copies that lie in several subsets, with a title; none without such groups."""
    return _filled(
        ("groups of the same content across subsets", findings.duplicates_between_subsets),
        ("groups of near-duplicates across subsets", findings.near_duplicates_between_subsets),
    )


def near_duplicates_within(findings: Findings) -> list[tuple[str, list[list[str]]]]:
    """Groups of near-duplicates between classes and within them, with a title."""
    between = findings.near_duplicates_between_classes
    told = between + in_several_subsets(findings.near_duplicates_between_subsets)
    rest = [group for group in findings.near_duplicates if group not in told]
    found = (
        ("groups of near-duplicates between classes: wrong labels?", between),
        ("groups of near-duplicates: keep them in one subset", rest),
    )
    return [(title, groups) for title, groups in found if groups]


def hints(findings: Findings) -> list[tuple[str, list[str]]]:
    """Images that perhaps should not be there, with a title."""
    found = (
        ("blank: nearly all pixels have one colour", findings.blank),
        ("far smaller than the others", findings.tiny),
        ("perhaps blurred: without the sharp edges of the others", findings.blurred),
    )
    return [(title, names) for title, names in found if names]


def leaks_in_words(findings: Findings, shown: int | None) -> list[str]:
    """What is printed of `leaks`."""
    subsets = (findings.duplicates_between_subsets, findings.near_duplicates_between_subsets)
    lines: list[str] = []
    for (title, _), groups in zip(leaks(findings), filter(None, subsets), strict=True):
        members = [
            [(name, f" ({in_one_line(subset)})") for subset in sorted(group) for name in group[subset]]
            for group in groups
        ]
        lines += _listed(f"{title}:", members, shown, [f"{_INDENT}{_CONSEQUENCE}"])
    return lines


def near_duplicates_in_words(findings: Findings, shown: int | None) -> list[str]:
    """What is printed of `near_duplicates_within`."""
    lines: list[str] = []
    for title, groups in near_duplicates_within(findings):
        lines += _listed(title, [[(name, "") for name in group] for group in groups], shown)
    return lines


def hints_in_words(findings: Findings, shown: int | None) -> list[str]:
    """What is printed of `hints`."""
    lines: list[str] = []
    for title, names in hints(findings):
        lines += [f"{len(names):,} {title}", *first([_line(name) for name in names], shown)]
    return lines


def in_several_subsets(groups: Sequence[Mapping[str, Sequence[str]]]) -> list[list[str]]:
    """The same groups without the names of the subsets."""
    return [sorted({name for names in group.values() for name in names}) for group in groups]


def first(lines: Sequence[str], shown: int | None, indent: str = _INDENT) -> list[str]:
    """So many lines, and how many more there are."""
    more = 0 if shown is None else len(lines) - shown
    return list(lines) if more <= 0 else [*lines[:shown], f"{indent}and {more:,} more (--all)"]


def _filled(
    *found: tuple[str, Sequence[Mapping[str, Sequence[str]]]],
) -> list[tuple[str, list[list[str]]]]:
    return [(title, in_several_subsets(groups)) for title, groups in found if groups]


def _listed(
    title: str,
    groups: Sequence[Sequence[tuple[str, str]]],
    shown: int | None,
    explained: Sequence[str] = (),
) -> list[str]:
    """Lines for groups of names, each with what is said behind it."""
    title = title.replace("groups", "group", 1) if len(groups) == 1 else title
    lines = [f"{len(groups):,} {title}", *explained]
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
