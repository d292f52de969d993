"""Keras 3 and Keras 2 (`tf_keras`), without importing either.

`fit` asks `isinstance(x, keras.utils.PyDataset)`, that of `tf_keras` asks for a `Sequence`.
`isinstance` also believes an object's `__class__`, so an iterator answers there with a class that
derives from its own and from those, as soon as they are loaded, in whatever order.

Both ask for batches with `it[i]`, but want several inputs in another form than Keras' own iterators
give them, and disagree about the end of an epoch. So an iterator looks who is asking.
"""

from __future__ import annotations

import random
import sys
from enum import Enum, auto
from functools import cache
from typing import Any, Final

from imageloom._warnings import warn_user

__all__ = ["KerasSurface", "Reader", "configured", "for_keras", "reader_asking", "shuffled_order"]

_BASES: Final = (("keras", "PyDataset"), ("tf_keras", "Sequence"))


class Reader(Enum):
    """Who asks for batches."""

    USER = auto()
    KERAS = auto()
    TF_KERAS = auto()
    TF_KERAS_QUEUE = auto()  # its threads with `workers` above 1, which run ahead of the training


def reader_asking() -> Reader:
    """Whose code called the method that calls this function."""
    module = str(sys._getframe(2).f_globals.get("__name__", ""))
    match module.split("."):
        case ["keras", *_]:
            return Reader.KERAS
        case ["tf_keras", *_, "data_utils"]:
            return Reader.TF_KERAS_QUEUE
        case ["tf_keras", *_]:
            return Reader.TF_KERAS
    return Reader.USER


class KerasSurface:
    """What Keras looks at in an object before it asks for batches."""

    workers = 1
    max_queue_size = 10

    @property  # type: ignore[misc]  # object's can be assigned, too
    def __class__(self) -> type[Any]:
        """The object's class; once Keras or `tf_keras` is loaded, also the class that it asks for."""
        bases = [
            getattr(getattr(sys.modules.get(package), "utils", None), name, None)
            for package, name in _BASES
        ]
        return _combined(type(self), *[base for base in bases if base is not None])  # type: ignore[arg-type]

    @property
    def use_multiprocessing(self) -> bool:
        """Always False, because Keras' process pool around ours would only be in the way."""
        return False

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        if value:
            warn_user(
                "use_multiprocessing is ignored: this iterator computes its batches in processes of "
                "its own; see the generator's `cores` and `executor`."
            )


@cache
def _combined(own: type[Any], *bases: type[Any]) -> type[Any]:
    if not bases:
        return own
    return type(own.__name__, (own, *bases), {"__module__": own.__module__, "__doc__": own.__doc__})


def for_keras(batch: Any) -> Any:
    """A batch with tuples for lists, which TensorFlow would stack; other backends take both.

    Several inputs without targets come in a tuple of one: Keras takes (a, b) for input and target.
    """
    return (_in_tuples(batch),) if isinstance(batch, list) else _in_tuples(batch)


def _in_tuples(part: Any) -> Any:
    return tuple(map(_in_tuples, part)) if isinstance(part, (tuple, list)) else part


def configured(name: str, default: str) -> str:
    """A global setting (`"image_data_format"`, `"floatx"`), of the Keras in which it was changed."""
    for package, _ in _BASES:
        setting = getattr(getattr(sys.modules.get(package), "backend", None), name, None)
        value = str(setting()) if callable(setting) else default
        if value != default:
            return value
    return default


def shuffled_order(batches: int) -> list[int]:
    """The order in which Keras' next training pass will ask for its batches.

    Keras 2, and Keras 3 up to 3.15, shuffle them with Python's global generator when the pass starts; a
    copy of that generator tells how. A wrong guess costs time only.
    """
    copy = random.Random()
    copy.setstate(random.getstate())
    order = list(range(batches))
    copy.shuffle(order)
    return order
