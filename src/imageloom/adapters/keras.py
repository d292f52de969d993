"""Keras 3, without importing it.

`fit` asks `isinstance(x, keras.utils.PyDataset)`. `isinstance` also believes an object's `__class__`,
so an iterator answers there with a class that derives from its own and from `PyDataset`, as soon as
Keras is loaded, whichever of the two was imported first.
"""

from __future__ import annotations

import random
import sys
from functools import cache
from typing import Any

__all__ = ["configured", "py_dataset_class", "shuffled_order"]


def py_dataset_class(own: type[Any]) -> type[Any]:
    """`own`, or once Keras is loaded a subclass of it that is a `PyDataset`, too."""
    base = getattr(getattr(sys.modules.get("keras"), "utils", None), "PyDataset", None)
    return own if base is None else _combined(own, base)  # type: ignore[arg-type]  # classes are hashable


@cache
def _combined(own: type[Any], base: type[Any]) -> type[Any]:
    return type(own.__name__, (own, base), {"__module__": own.__module__, "__doc__": own.__doc__})


def configured(name: str, default: str) -> str:
    """Keras' global setting (`"image_data_format"`, `"floatx"`) if Keras is loaded."""
    setting = getattr(getattr(sys.modules.get("keras"), "config", None), name, None)
    return str(setting()) if callable(setting) else default


def shuffled_order(batches: int) -> list[int]:
    """The order in which Keras' next training pass will ask for its batches.

    Up to 3.15 `fit` shuffles them with Python's global generator when the pass starts; a copy of that
    generator tells how. A wrong guess costs time only.
    """
    copy = random.Random()
    copy.setstate(random.getstate())
    order = list(range(batches))
    copy.shuffle(order)
    return order
