"""What there is at which address: the page, and what it asks for, as JSON and thumbnails."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from imageloom._cli.browsing.augmenting import (
    CHOICES,
    SLIDERS,
    SWITCHES,
    Augmenting,
    Settings,
)
from imageloom._cli.browsing.calls import FlowCall
from imageloom._cli.browsing.data import BrowsedData
from imageloom._cli.browsing.inspection import Inspection
from imageloom._cli.browsing.pictures import Thumbnails
from imageloom._cli.browsing.server import Answer
from imageloom._errors import ImageLoomError, InvalidArgumentError, in_one_line
from imageloom._storage.urls import join

__all__ = ["Site"]

_PAGE: Final = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
_JPEG_MAGIC: Final = b"\xff\xd8"
_MOST_FILES: Final = 200  # of an answer
_NOT_FOUND: Final = Answer(b"There is nothing at this address.\n", status=HTTPStatus.NOT_FOUND)


class Site:
    """Answers requests about one data set."""

    def __init__(
        self, place: Path | str, data: BrowsedData, inspection: Inspection, flow: FlowCall
    ) -> None:
        self._place, self._data, self._inspection, self._flow = place, data, inspection, flow
        self._thumbnails = Thumbnails(data.source)
        self._augmenting = Augmenting(data.source)
        folder = files(__package__)
        self._page = {
            path: Answer(folder.joinpath(name).read_bytes(), kind)
            for path, (name, kind) in _PAGE.items()
        }

    def answer(self, path: str, fields: Mapping[str, str]) -> Answer:
        """Answers a request for a path, which is compared with those that exist, and for a query.

        Raises:
            ImageLoomError, ValueError: a value of the query is not allowed.
        """
        if path in self._page:
            return self._page[path]
        answers = {
            "set": self._set,
            "files": self._files,
            "findings": self._findings,
            "thumbnail": self._thumbnail,
            "versions": self._versions,
        }
        return answers[path](fields) if path in answers else _NOT_FOUND

    def _set(self, fields: Mapping[str, str]) -> Answer:
        """What does not change while the page is open."""
        del fields
        return _json(
            {
                "place": in_one_line(str(self._place)),
                **self._data.in_words(),
                "sliders": [slider._asdict() for slider in SLIDERS],
                "switches": [switch._asdict() for switch in SWITCHES],
                "choices": [choice._asdict() for choice in CHOICES],
            }
        )

    def _files(self, fields: Mapping[str, str]) -> Answer:
        """Some of the files of the data set, of a class, or of a finding."""
        chosen: Sequence[int] = range(len(self._data.names))
        if "finding" in fields:
            chosen = self._inspection.files(fields["finding"])
        elif "class" in fields:
            chosen = self._data.of_class(_place(fields, "class", len(self._data.classes)))
        start = max(0, int(fields.get("start", "0")))
        count = min(_MOST_FILES, max(0, int(fields.get("count", "60"))))
        shown = chosen[start : start + count]
        return _json({"total": len(chosen), "files": [self._data.file(n) for n in shown]})

    def _findings(self, fields: Mapping[str, str]) -> Answer:
        del fields
        return _json(self._inspection.in_words())

    def _thumbnail(self, fields: Mapping[str, str]) -> Answer:
        """A picture, or why there is none, as JSON: this is nothing wrong with the request."""
        number = self._number(fields)
        try:
            content = self._thumbnails.of(number)
        except (ImageLoomError, OSError, MemoryError) as error:
            return _json({"error": self._why(number, error)})
        return Answer(content, "image/jpeg" if content.startswith(_JPEG_MAGIC) else "image/png")

    def _versions(self, fields: Mapping[str, str]) -> Answer:
        """Versions of an image, and the call that makes such ones."""
        number = self._number(fields)
        try:
            settings = Settings.of(fields)
            found = self._augmenting.versions(number, settings)
        except (ImageLoomError, OSError, MemoryError) as error:
            # The file cannot be read, or the settings do not go together.
            return _json({"file": self._data.file(number), "error": self._why(number, error)})
        code = self._flow.code(settings)
        return _json({"file": self._data.file(number), "code": code, **found})

    def _why(self, number: int, error: Exception) -> str:
        """An error about a file in one line, without the path, which the page shows already."""
        path = repr(join(self._data.source.root, self._data.names[number]))
        return in_one_line(" ".join(str(error).split()).replace(path, "the file"))

    def _number(self, fields: Mapping[str, str]) -> int:
        return _place(fields, "number", len(self._data.names))


def _place(fields: Mapping[str, str], name: str, count: int) -> int:
    """A field that is one of the numbers from 0 to `count` - 1."""
    number = int(fields.get(name, ""))
    if not 0 <= number < count:
        raise InvalidArgumentError(f"{name} must be a number from 0 to {count - 1}; received {number}.")
    return number


def _json(value: Any) -> Answer:
    return Answer(json.dumps(value).encode(), "application/json")
