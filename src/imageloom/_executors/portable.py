"""How what the user wrote travels to workers and back: by cloudpickle, with a few exceptions.

Code travels as Python itself writes it, and with its source text. cloudpickle renames code since 3.1.3,
to `<dynamic-code>`; tracebacks and warnings of a hook would name neither its file nor show its line.
The text comes along because a worker cannot always read it: a notebook's cells are in no file, and
another node of a cluster does not have the user's files.

Functions that would load a framework become small stand-ins.

Modules that read batches when they are imported are not imported by workers (see `importing`).

Functions that look variables up by name are refused: they would find others (see `by_name`).

Locks, open files, iterators and the like, which cloudpickle refuses, travel as `kinds` describes.
"""

from __future__ import annotations

import io
import linecache
import marshal
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from types import CodeType, FunctionType, ModuleType
from typing import Any

import cloudpickle

from imageloom._adapters.applications import stand_in
from imageloom._executors.by_name import refuse_lookups
from imageloom._executors.importing import sent_by_value
from imageloom._executors.kinds import reduced
from imageloom._executors.packing import Packed, Pieces

__all__ = ["failure_to_travel", "learn_text", "packed", "portable", "returning"]


def portable(value: Any) -> bytes:
    """`value` for `pickle.loads` in a worker.

    Functions of `keras.applications` that only scale pixels become small stand-ins wherever they occur,
    also inside the user's own functions.
    """
    return _pickled(value, outwards=True)


def packed(*values: Any) -> Packed:
    """The same for `unpacked` in a worker, which returns the last of the values.

    What several pickles have in common should be a value of its own, before what they differ in.
    """
    pieces = Pieces()
    with sent_by_value():
        pickler = _Pickler(pieces, outwards=True, with_text=True, keep_apart=pieces.keep_apart)
        for value in values:
            pickler.dump(value)
            pieces.end_value()
    return pieces.packed()


def failure_to_travel(value: Any) -> Exception | None:
    """What `portable` raises for `value`; None if it would not."""
    try:
        with sent_by_value():
            _Pickler(_Nowhere(), outwards=True, with_text=False).dump(value)
    except Exception as error:
        return error
    return None


def returning(value: Any) -> bytes:
    """`value` of a worker for `pickle.loads` where the user's code came from, and its text is."""
    return _pickled(value, outwards=False)


def _pickled(value: Any, *, outwards: bool) -> bytes:
    buffer = io.BytesIO()
    with sent_by_value() if outwards else nullcontext():
        _Pickler(buffer, outwards=outwards, with_text=outwards).dump(value)
    return buffer.getvalue()


class _Nowhere(io.RawIOBase):
    """Takes what is written and keeps nothing."""

    def write(self, written: Any) -> int:
        return memoryview(written).nbytes


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # has no types
    def __init__(
        self,
        file: io.IOBase,
        *,
        outwards: bool,
        with_text: bool,
        keep_apart: Callable[[pickle.PickleBuffer], bool] | None = None,
    ) -> None:
        super().__init__(file, buffer_callback=keep_apart)
        self._outwards = outwards
        self._with_text = with_text
        self._texts: dict[str, _Text | None] = {}

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, FunctionType):
            light = stand_in(value)
            if light is not None:
                return type(light), (light.module, light.mode, light.data_format, light.floatx)
            # A program in an archive has its text from its loader, which only functions know.
            linecache.lazycache(value.__code__.co_filename, value.__globals__)
        elif isinstance(value, CodeType):
            return self._reduced_code(value)
        elif self._outwards:
            special = reduced(value)
            if special is not None:
                return special
        standard = super().reducer_override(value)
        # Modules are imported where they arrive, and so are most functions, which get a name only.
        if self._outwards and (standard is not NotImplemented or isinstance(value, ModuleType)):
            refuse_lookups(value)
        return standard

    def _reduced_code(self, code: CodeType) -> Any:
        try:
            written = marshal.dumps(code)
        except ValueError:  # somebody has put an object of their own among its constants
            return super().reducer_override(code)
        if self._with_text:
            text = self._text_of(code.co_filename)
            if text is not None:
                return _code_after, (text, written)
            lines = _lines_of_nameless(code)
            if lines:
                return _nameless_code, (written, "".join(lines))
        return marshal.loads, (written,)

    def _text_of(self, name: str) -> _Text | None:
        """The same object for all code of a file, so that its text travels once."""
        if name not in self._texts:
            linecache.checkcache(name)
            lines = linecache.getlines(name)
            self._texts[name] = _Text(name, "".join(lines)) if lines else None
        return self._texts[name]


class _Text:
    """The text of a file; where it arrives, tracebacks, warnings and `inspect` know it."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    def __reduce__(self) -> Any:
        return learn_text, (self.name, self.text)


def learn_text(name: str, text: str) -> None:
    """Lets tracebacks, warnings and `inspect` of this process know the text of a file."""
    # Not `splitlines`, which counts form feeds too. Without a time of change the entry stays, whatever
    # becomes of the file.
    linecache.cache[name] = (len(text), None, io.StringIO(text).readlines(), name)


def _code_after(_: None, written: bytes) -> Any:
    """The code, once its text is known."""
    return marshal.loads(written)


# What was typed after `-c` or at a prompt has no file, and shares a name with other code. Newer Pythons
# keep such text by the code, and have no public way to it: without it a traceback lacks that line.


def _lines_of_nameless(code: CodeType) -> list[str]:
    look_up: Any = getattr(linecache, "_getlines_from_code", None)
    return [] if look_up is None else list(look_up(code))


def _nameless_code(written: bytes, text: str) -> Any:
    code = marshal.loads(written)
    register: Any = getattr(linecache, "_register_code", None)
    if register is not None:
        register(code, text, code.co_filename)
    return code
