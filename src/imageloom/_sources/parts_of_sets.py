"""Recognises folders of the parts of a data set: for training, for validation and for tests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

__all__ = ["parts_among"]

_PARTS: Final = {
    "training": ("train", "training", "trainset", "traindata"),
    "validation": (
        "val", "valid", "validation", "validate", "validating", "valset", "dev", "devel", "eval",
        "evaluation", "holdout",
    ),
    "test": ("test", "tests", "testing", "testset", "testdata"),
}  # fmt: skip
_PART_OF: Final = {word: part for part, words in _PARTS.items() for word in words}
_SAY_NOTHING: Final = frozenset(
    ("set", "data", "dataset", "images", "image", "imgs", "img", "photos", "pictures", "split",
     "folder", "dir", "new", "final")
)  # fmt: skip
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def parts_among(names: Sequence[str]) -> list[str]:
    """The folders that are parts of one data set, that for training first; empty if there are none.

    At least two different parts count, whose names are the same but for the part ("seg_train" and
    "seg_test"; not "train station" and "test tube").
    """
    found: defaultdict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for name in names:
        words = [word.lower() for word in _WORDS.findall(name)]
        parts = [word for word in words if word in _PART_OF]
        if len(parts) == 1:
            rest = tuple(w for w in words if w not in _PART_OF and w not in _SAY_NOTHING)
            found[rest][name] = _PART_OF[parts[0]]
    order = list(_PARTS)
    for parts_of_names in found.values():
        if len(set(parts_of_names.values())) > 1:
            return sorted(parts_of_names, key=lambda name: order.index(parts_of_names[name]))
    return []
