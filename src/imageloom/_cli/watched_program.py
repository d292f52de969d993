"""Runs a user's program until its training begins, and writes what warnings and hints say of it.

`imageloom check` starts it as `python -m imageloom._cli.watched_program RESULTS PROGRAM ...`, in a
process of its own. The results are lines of JSON, each of which is written at once, because the program
may end the process in any way:

    {"kind": "finding", "text": ..., "file": ..., "line": ...}
    {"kind": "end", "flows": ..., "why": ..., "failed": ...}

The program ends, without running anything else of it, where a training would begin: at the first batch
that a framework asks for, or at the twentieth of an iterator, because programs draw some before. So it
saves no model that was not trained. Analysing its text would be safer, but would know no value that is
computed, and no pixels.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, Final

from imageloom._locks import Lock
from imageloom._stream.observing import observers
from imageloom._warnings import listeners

__all__ = ["Watch", "main"]

_FRAMEWORKS: Final = frozenset({"keras", "tf_keras", "tensorflow", "torch", "jax", "lightning", "mltk"})
_BATCHES: Final = 20  # of an iterator, with which a loop over batches is a training
_OURS: Final = "imageloom"

Place = tuple[str, int]


class Watch:
    """Watches one program."""

    def __init__(self, results: Path, program: Path) -> None:
        """Findings are appended to the file `results`."""
        self._results = results
        self._program = str(program)
        self._made: list[tuple[Any, Place]] = []
        self._read: dict[int, int] = {}  # by the identity of a supply
        self._place: Place | None = None
        self._ending = False
        self._lock = Lock()

    def made(self, iterator: Any) -> None:
        """Notes an iterator, and keeps it, so that it can be read at the end."""
        self._made.append((iterator, self._own_line()))

    def reads(self, supply: Any) -> None:
        """What is found in a batch is told of the line that has made its iterator."""
        self._place = self._made_at(supply)

    def has_read(self, supply: Any) -> None:
        """Ends the program if this is a training."""
        if not self._ending:
            self._place = None
        self._read[id(supply)] = self._read.get(id(supply), 0) + 1
        if self._ending:
            return
        if _framework_reads():
            self.end("a framework has asked for the first batch")
        if self._read[id(supply)] >= _BATCHES:
            self.end(f"{_BATCHES} batches of one iterator were read")

    def tell(self, text: str, file: str, line: int) -> None:
        """Writes a finding."""
        file, line = self._place or (file, line)
        self._write(kind="finding", text=text, file=file, line=line)

    def end(self, why: str, *, failed: bool = False) -> None:
        """Reads the first batch of all iterators that were not read, and ends the process."""
        with self._lock:
            self._ending = True
            for iterator, place in self._made:
                supply = iterator._stream.supply
                if id(supply) in self._read or supply.closed or not iterator.n:
                    continue
                self._place = place
                try:
                    next(iterator)
                except Exception as error:
                    text = f"The first batch is an error: {type(error).__name__}: {error}"
                    self._write(kind="error", text=text, file=place[0], line=place[1])
            line = self._own_line()[1]
            self._write(kind="end", why=why, flows=len(self._made), line=line, failed=failed)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    def _made_at(self, supply: Any) -> Place | None:
        return next((place for it, place in self._made if it._stream.supply is supply), None)

    def _own_line(self) -> Place:
        """The innermost line outside this package, or the program's own if it is on the stack."""
        frame: FrameType | None = sys._getframe(1)
        found: Place | None = None
        while frame is not None:
            place = (frame.f_code.co_filename, frame.f_lineno)
            if place[0] == self._program:
                return place
            if found is None and _package(frame) not in (_OURS, "runpy", "contextlib", "functools"):
                found = place
            frame = frame.f_back
        return found or (self._program, 0)

    def _write(self, **record: Any) -> None:
        with self._lock, self._results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _framework_reads() -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _package(frame) in _FRAMEWORKS:
            return True
        frame = frame.f_back
    return False


def main() -> None:
    """Runs the program that the command line names."""
    results, program, *arguments = sys.argv[1:]
    path = Path(program).resolve()
    watch = Watch(Path(results), path)
    observers.append(watch)
    listeners.append(watch.tell)
    sys.argv = [program, *arguments]
    sys.path[0] = str(path.parent)
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as leaving:
        if leaving.code in (None, 0):
            watch.end("the program has ended")
        watch.end(f"the program has ended with {leaving.code!r}", failed=True)
    except BaseException as error:
        lines = [s.lineno for s in traceback.extract_tb(error.__traceback__) if s.filename == str(path)]
        where = f"line {lines[-1]}: " if lines else ""
        watch.end(f"{where}{type(error).__name__}: {error}", failed=True)
    watch.end("the program has ended")


if __name__ == "__main__":
    main()
