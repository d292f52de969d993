"""What the pixels of a data set have in common: near-duplicates; blank, tiny and blurred images."""

from __future__ import annotations

import statistics
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from imageloom._imaging.look import THUMBNAIL_SIDE, Look
from imageloom._imaging.near_duplicates import near_duplicates

__all__ = ["Looks", "between_classes", "between_subsets"]

# An image is tiny if it has a quarter of the usual side of the set, and would have to be enlarged more
# than three times for the 224 pixels of most networks. Below four pixels nothing can be seen.
_TINY_SHARE: Final = 1 / 4
_SMALL_SIDE: Final = 64
_NOTHING_SIDE: Final = 4
# Of 25 photographs of scikit-image, only one that is out of focus has less than 5; blurred by 4 pixels
# of 500, all have less than 2.8. Solar cells, which have soft edges, have 3.4 in the median.
_BLURRED: Final = 3.0
_BLURRED_SHARE: Final = 1 / 3


class Looks:
    """Collects the looks of files, with about a kilobyte for each."""

    def __init__(self) -> None:
        self.blank: list[str] = []
        self._sides: dict[str, int] = {}
        self._sharpness: dict[str, float] = {}
        self._hashed: list[str] = []
        self._hashes = array("Q")
        self._thumbnails = bytearray()

    def add(self, name: str, size: tuple[int, int], look: Look | None) -> None:
        """Notes a file, with its (width, height) and its look."""
        self._sides[name] = min(size)
        if look is None:
            return
        if look.blank:
            self.blank.append(name)
        if look.sharpness is not None:
            self._sharpness[name] = look.sharpness
        if look.bits is not None and look.thumbnail is not None:
            self._hashed.append(name)
            self._hashes.append(look.bits)
            self._thumbnails += look.thumbnail.tobytes()

    @property
    def compared(self) -> int:
        """The number of files that can be compared."""
        return len(self._hashed)

    def tiny(self) -> list[str]:
        """The files that are far smaller than most."""
        if not self._sides:
            return []
        least = min(_SMALL_SIDE, _TINY_SHARE * statistics.median(self._sides.values()))
        return [name for name, side in self._sides.items() if side < max(least, _NOTHING_SIDE)]

    def blurred(self) -> list[str]:
        """The files without sharp edges, where most of the set have them."""
        if not self._sharpness:
            return []
        least = min(_BLURRED, _BLURRED_SHARE * statistics.median(self._sharpness.values()))
        return [name for name, sharpness in self._sharpness.items() if sharpness < least]

    def near_duplicates(
        self,
        same: Sequence[Sequence[str]],
        run: Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]],
        advance: Callable[[int], object],
    ) -> list[list[str]]:
        """Groups of files that show the same picture.

        Args:
            same: the groups of files with the same content, which are no news: of each, one file is
                compared, and all are named.
            run: a `map` that works in threads.
            advance: is called with the number of further files.
        """
        copies = {group[0]: group for group in same}
        others = {name for group in same for name in group[1:]}
        chosen = [i for i, name in enumerate(self._hashed) if name not in others]
        side = THUMBNAIL_SIDE
        groups = near_duplicates(
            np.frombuffer(self._hashes, np.uint64)[chosen],
            np.frombuffer(self._thumbnails, np.uint8).reshape(-1, side, side)[chosen],
            run,
            advance,
        )
        named = [[self._hashed[chosen[i]] for i in group] for group in groups]
        return sorted(
            sorted(copy for name in group for copy in copies.get(name, (name,))) for group in named
        )


def between_classes(groups: Iterable[list[str]], class_of: Mapping[str, str]) -> list[list[str]]:
    """The groups whose files lie in several classes."""
    return [
        group for group in groups if len({class_of[name] for name in group if name in class_of}) > 1
    ]


def between_subsets(
    groups: Iterable[Sequence[str]], subsets_of: Mapping[str, Sequence[str]]
) -> list[dict[str, list[str]]]:
    """The groups whose files lie in several subsets, by subset."""
    found = []
    for group in groups:
        by_subset: dict[str, list[str]] = {}
        for name in group:
            for subset in subsets_of.get(name, ()):
                by_subset.setdefault(subset, []).append(name)
        if len(by_subset) > 1:
            found.append(dict(sorted(by_subset.items())))
    return found
