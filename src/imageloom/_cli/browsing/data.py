"""The files of a data set by number, and by class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from imageloom._api.previews import FileList
from imageloom._cli.listed import Listed
from imageloom._errors import in_one_line

__all__ = ["BrowsedData"]


class BrowsedData:
    """A data set as the page shows it: a request names files and classes by their numbers.

    Attributes:
        names: the files.
        source: the same for pipelines.
        classes: the names of the classes.
        numbers: the number of each file by its name.
    """

    def __init__(self, listed: Listed) -> None:
        self.names: Sequence[str] = listed.names
        self.source = FileList(listed.root, listed.names)
        self.classes = list(listed.classes)
        self.numbers: Mapping[str, int] = {name: number for number, name in enumerate(self.names)}
        self._class_of = listed.class_of
        self._counts = list(listed.classes.values())
        members: defaultdict[str, list[int]] = defaultdict(list)
        for name, label in listed.class_of.items():
            for each in _labels(label, listed.classes):
                members[each].append(self.numbers[name])
        if not listed.class_of and len(self.classes) == 1:  # a folder without classes counts as one
            members[self.classes[0]] = list(range(len(self.names)))
        self._members = members

    def class_name(self, number: int) -> str:
        """The name of the class of a file, or of its classes; "" without any."""
        return self._class_of.get(self.names[number], "")

    def in_words(self) -> dict[str, Any]:
        """The number of images, and the classes with theirs."""
        classes = [
            {"name": in_one_line(name), "count": count}
            for name, count in zip(self.classes, self._counts, strict=True)
        ]
        return {"images": len(self.names), "classes": classes}

    def of_class(self, number: int) -> Sequence[int]:
        """The numbers of the files of a class."""
        return self._members[self.classes[number]]

    def file(self, number: int) -> dict[str, Any]:
        """What the page shows of a file, besides its pixels."""
        return {
            "number": number,
            "name": in_one_line(self.names[number]),
            "class": in_one_line(self.class_name(number)),
        }


def _labels(label: str, known: Mapping[str, int]) -> Sequence[str]:
    """The classes of a file, whose names have commas between them; a name may have commas, too."""
    return [label] if label in known else label.split(", ")
