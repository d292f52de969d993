"""What arrives in a worker in the place of an iterator.

A function of the user often refers to an object that also keeps iterators: for their class names,
or because everything of a program is in one object. An iterator has threads and workers, which cannot
travel. So its plain attributes travel, in an object that has no batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

import numpy as np

from imageloom._adapters.keras import KerasSurface
from imageloom._addresses import with_address
from imageloom._errors import IteratorClosedError

__all__ = ["InertIterator", "inert"]

_MOST_ITEMS: Final = 10_000  # a list of millions of file names is not worth its journey
_MOST_BYTES: Final = 2**20
_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes, np.generic)
# Properties cost time or memory in general; these do not.
_CHEAP_PROPERTIES: Final = (
    "n",
    "samples",
    "sample_count",
    "batch_size",
    "batch_shape",
    "num_batches",
    "shuffle",
    "shard",
    "balance",
    "labels",
    "classes",
    "class_indices",
    "class_mode",
    "target_size",
    "image_shape",
    "color_mode",
    "data_format",
    "dtype",
    "interpolation",
    "filenames",
    "seed",
    "subset",
    "x",
    "y",
    "sample_weight",
)
_KERASES: Final = frozenset({"keras", "tf_keras", "keras_preprocessing", "tensorflow"})


class InertIterator:
    """Has an iterator's plain attributes, and a clear error in the place of its batches."""

    def __init__(self, kind: str, length: int, attributes: dict[str, Any]) -> None:
        """`kind` is the name of the iterator's class, `length` its number of batches."""
        self._kind = kind
        self._length = length
        self.__dict__.update(attributes)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return self._length

    def __repr__(self) -> str:
        """The class of the iterator."""
        return f"<what workers know of a {self._kind}>"

    def __iter__(self) -> InertIterator:
        """Returns the object itself, as the iterator does."""
        return self

    def __next__(self) -> NoReturn:
        """Raises, because there are no batches here."""
        raise IteratorClosedError(
            f"A function that runs in a worker process asked a {self._kind} for a batch, but an "
            'iterator can be read in its own process only. Pass executor="threads" to the generator '
            "whose function this is; its functions then run where the iterator is."
        )

    def __getitem__(self, index: object) -> NoReturn:
        """Raises, because there are no batches here."""
        self.__next__()

    def next(self) -> NoReturn:
        """Raises, because there are no batches here."""
        self.__next__()

    def __getattr__(self, name: str) -> NoReturn:
        """Raises for what has not travelled."""
        if name.startswith("_"):
            raise AttributeError(name)
        raise with_address(
            AttributeError(
                f"Worker processes know only the plain attributes of a {self._kind}, and {name!r} is "
                'not one of them. Pass executor="threads" to the generator whose function this is.'
            )
        )


def inert(value: Any) -> InertIterator | None:
    """What travels in the place of an iterator of ours or of Keras; None for any other object."""
    kind = type(value)
    if not issubclass(kind, KerasSurface) and not _is_of_keras(kind):
        return None
    attributes = {name: part for name, part in vars(value).items() if not name.startswith("_")}
    for name in _CHEAP_PROPERTIES:
        with suppress(Exception):  # some kinds of iterators lack some
            attributes[name] = getattr(value, name)
    length = 0
    with suppress(Exception):
        length = len(value)
    plain = {name: _plain(part) for name, part in attributes.items()}
    kept = {name: part[0] for name, part in plain.items() if part is not None}
    return InertIterator(kind.__name__, length, kept)


def _is_of_keras(kind: type) -> bool:
    return any(
        base.__name__ == "Iterator" and base.__module__.partition(".")[0] in _KERASES
        for base in kind.__mro__
    )


def _plain(value: Any) -> tuple[Any] | None:
    """The value in a tuple of one if it consists of numbers and texts, and of few; else None."""
    if isinstance(value, _PLAIN):
        return (value,)
    if type(value) is np.ndarray:
        return (value,) if value.nbytes <= _MOST_BYTES and not value.dtype.hasobject else None
    if isinstance(value, dict):
        items = _all_plain([part for pair in value.items() for part in pair])
        return None if items is None else (dict(zip(items[::2], items[1::2], strict=True)),)
    if isinstance(value, (set, frozenset)):
        items = _all_plain(value)
        return None if items is None else (type(value)(items),)
    if isinstance(value, Sequence):
        items = _all_plain(value)
        return None if items is None else (tuple(items) if isinstance(value, tuple) else items,)
    return None


def _all_plain(values: Any) -> list[Any] | None:
    if len(values) > _MOST_ITEMS:
        return None
    items = [_plain(value) for value in values]
    found = [item[0] for item in items if item is not None]
    return found if len(found) == len(items) else None
