"""How what the user wrote travels to workers: by cloudpickle, but for what would load a framework."""

from __future__ import annotations

import io
from types import FunctionType
from typing import Any

import cloudpickle

from imageloom._adapters.applications import stand_in

__all__ = ["portable"]


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # has no types
    def reducer_override(self, value: Any) -> Any:
        light = stand_in(value) if isinstance(value, FunctionType) else None
        if light is not None:
            return type(light), (light.module, light.mode, light.data_format, light.floatx)
        return super().reducer_override(value)


def portable(value: Any) -> bytes:
    """`value` for `pickle.loads` in a worker.

    Functions of `keras.applications` that only scale pixels become small stand-ins wherever they occur,
    also inside the user's own functions.
    """
    buffer = io.BytesIO()
    _Pickler(buffer).dump(value)
    return buffer.getvalue()
