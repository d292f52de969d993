"""Compatibility with Keras 3 and Keras 2 (`tf_keras`), without importing either.

Keras' `fit` checks `isinstance(x, keras.utils.PyDataset)`; that of `tf_keras` checks for a
`Sequence`. `isinstance` also checks an object's `__class__`. There an iterator returns a class that
derives from its own class and from these two, as soon as they are loaded.

Both read batches with `it[i]`. They need several inputs in another form than that of Keras' own
iterators, and they end an epoch in different ways. So an iterator examines who calls it.
"""

from __future__ import annotations

import random
import sys
from enum import Enum, auto
from functools import cache
from types import FrameType
from typing import Any, Final

from imageloom._warnings import Code, warn_user

__all__ = [
    "KerasSurface",
    "Reader",
    "combined",
    "configured",
    "for_keras",
    "prints_messages",
    "reader_asking",
    "shuffled_batches",
]

_BASES: Final = (("keras", "PyDataset"), ("tf_keras", "Sequence"))
_PROTOCOL: Final = frozenset({"__getitem__", "on_epoch_begin", "on_epoch_end"})
_CALLS_SEARCHED: Final = 12  # between a method of a wrapper and that of the iterator


class Reader(Enum):
    """Who reads batches."""

    USER = auto()
    KERAS = auto()
    TF_KERAS = auto()
    MLTK = auto()
    TF_KERAS_QUEUE = auto()  # its threads with `workers` above 1, which read ahead of the training
    WRAPPER = auto()  # a data set of the user that wraps the iterator, which a Keras reads


def reader_asking() -> Reader:
    """Returns who called the method that calls this function.

    A user's own `PyDataset` or `Sequence` that Keras reads may pass requests on to an iterator. They
    come from a `WRAPPER` then; the end of an epoch comes from that Keras itself.
    """
    frame: FrameType | None = sys._getframe(2)
    reader = _reader(frame)
    if reader is not Reader.USER:
        return reader
    while (wrapping := _wrapping_method(frame)) is not None:
        frame = wrapping.f_back
        keras = _reader(frame)
        if keras is not Reader.USER:
            return Reader.WRAPPER if wrapping.f_code.co_name == "__getitem__" else keras
    return Reader.USER


def _wrapping_method(frame: FrameType | None) -> FrameType | None:
    """The method of a user's data set for Keras that is running here, if there is one."""
    bases = _loaded_bases()
    for _ in range(_CALLS_SEARCHED if bases else 0):
        if frame is None:
            return None
        code = frame.f_code
        if code.co_name in _PROTOCOL and code.co_argcount:
            owner = frame.f_locals.get(code.co_varnames[0])
            if issubclass(type(owner), bases) and not issubclass(type(owner), KerasSurface):
                return frame
        frame = frame.f_back
    return None


def _reader(frame: FrameType | None) -> Reader:
    module = "" if frame is None else str(frame.f_globals.get("__name__", ""))
    match module.split("."):
        case ["keras", *_]:
            return Reader.KERAS
        case ["tf_keras", *_, "data_utils"]:
            return Reader.TF_KERAS_QUEUE
        case ["tf_keras", *_]:
            return Reader.TF_KERAS
        case ["mltk", *_]:
            return Reader.MLTK
    return Reader.USER


class KerasSurface:
    """The attributes that Keras examines before it reads batches."""

    workers = 1
    max_queue_size = 10

    @property  # type: ignore[misc]  # the property of `object` is writable
    def __class__(self) -> type[Any]:
        """The object's class, and the class that Keras or `tf_keras` expects, once it is loaded."""
        return combined(type(self), *_loaded_bases())  # type: ignore[arg-type]

    @property
    def use_multiprocessing(self) -> bool:
        """Always False, because the workers of this library replace Keras' process pool."""
        return False

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        if value:
            warn_user(
                "use_multiprocessing is ignored, because this iterator has its own workers: pass "
                "`cores` and `executor` to the generator instead.",
                code=Code.MULTIPROCESSING_IGNORED,
            )


def _loaded_bases() -> tuple[type[Any], ...]:
    """The classes that Keras and `tf_keras` expect, of those that are loaded."""
    bases = [
        getattr(getattr(sys.modules.get(package), "utils", None), name, None)
        for package, name in _BASES
    ]
    return tuple(base for base in bases if base is not None)


@cache
def combined(own: type[Any], *bases: type[Any]) -> type[Any]:
    """A class with the name of `own` that derives from it and from `bases`; `own` without them."""
    if not bases:
        return own
    return type(own.__name__, (own, *bases), {"__module__": own.__module__, "__doc__": own.__doc__})


def for_keras(batch: Any) -> Any:
    """Replaces lists in a batch by tuples, because TensorFlow would stack the arrays of a list.

    Several inputs without targets become a tuple in a tuple of one, because Keras reads (a, b) as
    inputs and targets.
    """
    return (_in_tuples(batch),) if isinstance(batch, list) else _in_tuples(batch)


def _in_tuples(part: Any) -> Any:
    return tuple(map(_in_tuples, part)) if isinstance(part, (tuple, list)) else part


def configured(name: str, default: str) -> str:
    """The value of `"image_data_format"` or `"floatx"`, from the Keras in which it was changed."""
    for package, _ in _BASES:
        getter = getattr(getattr(sys.modules.get(package), "backend", None), name, None)
        value = str(getter()) if callable(getter) else default
        if value != default:
            return value
    return default


def prints_messages() -> bool:
    """Whether the loaded Keras prints its messages, and does not give them to a logger."""
    for package, _ in _BASES:
        utils = getattr(sys.modules.get(package), "utils", None)
        asks = getattr(utils, "is_interactive_logging_enabled", None)
        if callable(asks) and not asks():
            return False
    return True


def shuffled_batches(batches: int) -> list[int]:
    """Predicts the sequence in which Keras' next training pass reads its batches.

    Keras 2, and Keras 3 up to 3.15, shuffle the batch numbers with Python's global random generator
    when the pass starts. A copy of that generator gives the same result. A wrong guess only costs
    time.
    """
    copy = random.Random()
    copy.setstate(random.getstate())
    numbers = list(range(batches))
    copy.shuffle(numbers)
    return numbers
