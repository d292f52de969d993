"""Divides samples into subsets in other ways than Keras' slices: at random, by class, by group.

What is divided are units: groups of samples, or single samples. Each has a key, a text. A hash of the
seed and of the key is its place between 0 and 1, which is the same on every machine and whatever other
units there are.

* `"random"`: the units whose place is below the share are for validation. A unit never changes its
  part; the share is met on average.
* `"stratified"`: the units of each class in the order of their places, of which the first are for
  validation. The share of each class is met as nearly as whole units allow. When units are added, the
  border between the parts moves, and with it the few units that lie next to it.
* `"sorted"`: likewise, in the order of the data set. Without groups and folds this is Keras' split,
  which is made elsewhere, as a slice.

A unit of several classes belongs to the rarest of them, for which its place matters most.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import InvalidArgumentError
from imageloom._options import GeneratorOptions
from imageloom._sources.target_mistakes import missing_in, row_name

__all__ = ["Classes", "Division", "division_of", "group_keys", "keys_of_names"]

Classes = Sequence[Sequence[Hashable]]
_END: Final = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """Which samples a subset has.

    Attributes:
        subset: `"training"` or `"validation"`.
        way: `"sorted"`, `"random"` or `"stratified"`.
        share: the share of the samples that is for validation.
        seed: the seed of the places.
        fold: the part that is for validation, and the number of parts; None if there are two.
        groups: the group of each sample, as the options have it; None for none.
    """

    subset: str
    way: str
    share: float
    seed: int
    fold: tuple[int, int] | None = None
    groups: Any = None

    @property
    def by_class(self) -> bool:
        """Whether the classes of samples matter."""
        return self.way == "stratified"

    def in_words(self) -> str:
        """What differs between divisions, for states and errors."""
        parts = [self.way]
        if self.way != "sorted":
            parts.append(f"split_seed={self.seed}")
        parts.append(f"fold={self.fold}" if self.fold else f"validation_split={self.share:g}")
        if self.groups is not None:
            parts.append("with groups")
        return ", ".join(parts)

    def rows(self, keys: Sequence[str], classes: Classes | None) -> NDArray[np.int64]:
        """The numbers of the samples that the subset has, in the order of the data set.

        Args:
            keys: the unit of each sample.
            classes: the classes of each sample; None if all are of one kind.
        """
        chosen = self._validation(keys, classes)
        return np.flatnonzero(chosen if self.subset == "validation" else ~chosen)

    def _validation(self, keys: Sequence[str], classes: Classes | None) -> NDArray[np.bool_]:
        names = list(dict.fromkeys(keys))
        number = {name: unit for unit, name in enumerate(names)}
        unit_of = np.fromiter((number[key] for key in keys), np.int64, len(keys))
        units: NDArray[np.bool_]
        if self.way == "random":
            places = self._places(names)
            if self.fold is None:
                units = places < self.share
            else:
                units = np.floor(places * self.fold[1]) == self.fold[0]
        else:
            units = self._by_stratum(names, unit_of, classes)
        chosen: NDArray[np.bool_] = units[unit_of]
        return chosen

    def _places(self, names: Sequence[str]) -> NDArray[np.float64]:
        seed = f"{self.seed}\0"
        places = (_hash(seed + name) / _END for name in names)
        return np.fromiter(places, np.float64, len(names))

    def _by_stratum(
        self, names: Sequence[str], unit_of: NDArray[np.int64], classes: Classes | None
    ) -> NDArray[np.bool_]:
        """Which units are for validation, if those of each class are divided in an order."""
        sizes = np.bincount(unit_of, minlength=len(names))
        places = self._places(names) if self.way == "stratified" else np.arange(float(len(names)))
        chosen = np.zeros(len(names), np.bool_)
        belonging = _classes_of_units(len(names), unit_of, classes)
        for stratum, members in _strata(belonging).items():
            ordered = members[np.argsort(places[members], kind="stable")]
            chosen[ordered] = self._first(sizes[ordered], stratum)
        if self.by_class and self.fold is None:
            _give_each_part_all_classes(chosen, belonging, places)
        return chosen

    def _first(self, sizes: NDArray[np.int64], stratum: Hashable) -> NDArray[np.bool_]:
        """Which units of a class are for validation, in their order."""
        total, behind = int(sizes.sum()), np.cumsum(sizes)
        if self.fold is not None:
            index, count = self.fold
            if self.way == "stratified":  # or all small classes would have the same parts
                index = (index + _hash(f"{self.seed}\0{stratum}\0")) % count
            middle = 2 * behind - sizes + 1  # twice the place, in whole numbers
            parts = -(-count * middle // (2 * total)) - 1
            return np.asarray(parts == index)
        if len(sizes) < 2:
            return np.zeros(len(sizes), np.bool_)
        border = int(np.argmin(np.abs(behind[:-1] - self.share * total)))
        return np.arange(len(sizes)) <= border


def division_of(options: GeneratorOptions, subset: str | None) -> Division | None:
    """How the samples of a subset are found; None if they are a slice, as in Keras, or all samples."""
    is_keras = options.split == "sorted" and options.fold is None and options.groups is None
    if subset is None or is_keras or not options.validation_share:
        return None
    return Division(
        subset=subset,
        way=options.split,
        share=options.validation_share,
        seed=options.split_seed,
        fold=options.fold,
        groups=options.groups,
    )


def _hash(text: str) -> int:
    content = text.encode("utf-8", "backslashreplace")  # a file name may be no valid text
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def keys_of_names(names: Sequence[str | tuple[str, ...]], root: str) -> list[str]:
    """The keys of samples that are files: their names, the same on all systems and in any folder."""
    prefix = root.replace("\\", "/").rstrip("/") + "/" if root else ""
    keys = []
    for name in names:
        parts = [name] if isinstance(name, str) else name
        keys.append("\0".join(part.replace("\\", "/").removeprefix(prefix) for part in parts))
    return keys


def group_keys(values: Sequence[Any], rows: Sequence[Any] | None = None) -> list[str]:
    """The keys of samples that belong to groups.

    Args:
        values: the group of each sample: a text, a number, or anything with a `repr` of its own.
        rows: the names of the samples, for the error; by default their numbers.

    Raises:
        InvalidArgumentError: a sample has none.
    """
    keys = []
    for place, found in enumerate(values):
        value = found.item() if isinstance(found, np.generic) else found
        if missing_in(value):
            row = row_name(place if rows is None else rows[place])
            raise InvalidArgumentError(
                f"`groups` must have a group for each sample, but that of {row} is {value!r}. A sample "
                "whose group is not known may be in both parts: leave it out, or give it a group of "
                "its own."
            )
        if isinstance(value, float) and value.is_integer():
            keys.append(repr(int(value)))  # a column of integers that had gaps
        else:
            keys.append(value if isinstance(value, str) else repr(value))
    return keys


def _classes_of_units(
    units: int, unit_of: NDArray[np.int64], classes: Classes | None
) -> list[set[Hashable]]:
    found: list[set[Hashable]] = [set() for _ in range(units)]
    if classes is not None:
        for unit, names in zip(unit_of.tolist(), classes, strict=True):
            found[unit].update(names)
    return found


def _strata(belonging: Sequence[set[Hashable]]) -> dict[Hashable, NDArray[np.int64]]:
    """The units of each class; a unit of several classes belongs to the rarest."""
    counts = Counter(name for names in belonging for name in names)
    members: dict[Hashable, list[int]] = {}
    for unit, names in enumerate(belonging):
        stratum = min(names, key=lambda name: (counts[name], str(name)), default=None)
        members.setdefault(stratum, []).append(unit)
    return {name: np.array(found, np.int64) for name, found in members.items()}


def _give_each_part_all_classes(
    chosen: NDArray[np.bool_], belonging: Sequence[set[Hashable]], places: NDArray[np.float64]
) -> None:
    """Moves units between the parts until both have each class that has two units, where possible."""
    if all(len(names) < 2 for names in belonging):
        return  # each class was divided by itself
    members: dict[Hashable, list[int]] = {}
    for unit in np.argsort(places, kind="stable").tolist():
        for name in belonging[unit]:
            members.setdefault(name, []).append(unit)
    for _, units in sorted(members.items(), key=lambda item: (len(item[1]), str(item[0]))):
        for part in (True, False):
            if len(units) < 2 or any(chosen[unit] == part for unit in units):
                continue
            for unit in units:
                others = ([u for u in members[name] if u != unit] for name in belonging[unit])
                if all(not rest or any(chosen[u] != part for u in rest) for rest in others):
                    chosen[unit] = part
                    break
