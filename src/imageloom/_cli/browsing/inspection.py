"""What `imageloom inspect` finds, while it is found: in a thread, beside the page."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from imageloom._cli.findings import Findings, examine, listed_findings
from imageloom._cli.inspect import Entries, remarks, texts_of
from imageloom._cli.listed import Listed
from imageloom._errors import in_one_line

__all__ = ["Inspection"]

_SECONDS_BETWEEN: Final = 0.5  # two looks at what was found until then
_MOST_ENTRIES: Final = 200  # of a remark, in words; its images are shown by pages
_MOST_ROWS: Final = 20  # of a table of counts


class _Stopped(Exception):
    """The program ends."""


@dataclass(frozen=True, slots=True)
class _State:
    """What is known so far; each attribute is replaced, and never changed."""

    remarks: Sequence[tuple[str, Entries]]
    counts: Mapping[str, Mapping[str, int]]
    examined: int
    done: bool
    error: str = ""


class Inspection:
    """Examines a data set in a thread of its own, with those of `examine`."""

    def __init__(
        self, place: Path | str, listed: Listed, numbers: Mapping[str, int], *, wanted: bool = True
    ) -> None:
        """Prepares it.

        Args:
            place: the data set, for messages.
            listed: its files.
            numbers: the number of each file by its name.
            wanted: whether files are read at all; otherwise only what the listing shows is found.
        """
        self._place, self._listed, self._numbers = place, listed, numbers
        self._stopped = threading.Event()
        self._wanted = wanted
        self._examined, self._next = 0, 0.0
        self._state = _state_of(listed_findings(place, listed), 0, done=not wanted)
        self._thread = threading.Thread(target=self._run, name="imageloom-browse", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        if self._wanted:
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread: after the files that are read at the moment."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def in_words(self) -> dict[str, Any]:
        """What was found so far, for the page."""
        state = self._state
        return {
            "examined": state.examined,
            "images": len(self._listed.names),
            "wanted": self._wanted,
            "done": state.done,
            "error": state.error,
            "remarks": [
                {
                    "title": in_one_line(title),
                    "count": len(entries),
                    "entries": [in_one_line(text) for text in texts_of(entries)[:_MOST_ENTRIES]],
                    "files": len(self._files(entries)),
                }
                for title, entries in state.remarks
            ],
            "counts": {
                title: dict(list(counts.items())[:_MOST_ROWS]) for title, counts in state.counts.items()
            },
        }

    def files(self, title: str) -> Sequence[int]:
        """The numbers of the files that a remark is about; none if there is no such remark."""
        return next(
            (self._files(entries) for known, entries in self._state.remarks if known == title), []
        )

    def _files(self, entries: Entries) -> list[int]:
        names = chain.from_iterable([e] if isinstance(e, str) else e for e in entries)
        return [self._numbers[name] for name in names if name in self._numbers]

    def _run(self) -> None:
        try:
            findings = examine(self._place, self._listed, self._told)
            self._state = _state_of(findings, findings.images, done=True)
        except _Stopped:
            pass
        except Exception as error:  # it is shown on the page, which is usable nevertheless
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            self._state = replace(self._state, error=in_one_line(text), done=True)

    def _told(self, findings: Findings) -> None:
        """Called in the thread that writes into the findings, so that they do not change meanwhile."""
        if self._stopped.is_set():
            raise _Stopped
        self._examined = min(self._examined + 1, findings.images)  # duplicates are read twice
        if time.monotonic() >= self._next:
            self._state = _state_of(findings, self._examined, done=False)
            self._next = time.monotonic() + _SECONDS_BETWEEN


def _state_of(findings: Findings, examined: int, *, done: bool) -> _State:
    counts = {
        "Sizes, width x height": findings.sizes,
        "Formats": findings.formats,
        "Modes": findings.modes,
    }
    return _State(
        remarks=[(title, _copied(entries)) for title, entries in remarks(findings)],
        counts={title: dict(found) for title, found in counts.items() if found},
        examined=examined,
        done=done,
    )


def _copied(entries: Entries) -> Entries:
    copied: Entries = copy.copy(entries)
    return copied
