"""Counts and lists in the sentences about data sets."""

from __future__ import annotations

from imageloom._sources.listing import LeftOut

__all__ = ["counted", "suffixes_in_words"]


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: "1 image", "1,200 images"."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def suffixes_in_words(others: LeftOut) -> str:
    """How many files of each suffix: "12 .webp, 1 without suffix"."""
    most = sorted(others.items(), key=lambda item: (-item[1][0], item[0] or "~"))
    return ", ".join(f"{count:,} {suffix or 'without suffix'}" for suffix, (count, _) in most)
