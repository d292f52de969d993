"""What a copy of a generator has, in this process and in others."""

from __future__ import annotations

from collections.abc import Mapping
from types import MemberDescriptorType
from typing import Any, Final
from weakref import WeakKeyDictionary

__all__ = ["restore", "state_of"]

_OWN: Final = "_engine"  # a copy starts its own workers
# To look through all classes takes longer than a small batch.
_slots_of: Final = WeakKeyDictionary[type, dict[str, MemberDescriptorType]]()


def state_of(generator: Any) -> dict[str, Any]:
    """The attributes of a generator, also those that a user's subclass keeps in slots."""
    state = dict(vars(generator))
    state.pop(_OWN, None)
    for name, slot in _slots(generator).items():
        try:
            state[name] = slot.__get__(generator)
        except AttributeError:  # nothing has been assigned to it
            continue
    return state


def restore(generator: Any, state: Mapping[str, Any]) -> None:
    """Gives an empty generator the attributes of another one, past a user's `__setattr__`."""
    slots = _slots(generator)
    if not slots:
        vars(generator).update(state)
        return
    vars(generator).update({name: value for name, value in state.items() if name not in slots})
    for name in slots.keys() & state.keys():
        slots[name].__set__(generator, state[name])


def _slots(generator: Any) -> dict[str, MemberDescriptorType]:
    kind = type(generator)
    if (slots := _slots_of.get(kind)) is None:
        slots = _slots_of[kind] = {
            name: value
            for base in reversed(kind.__mro__)
            for name, value in vars(base).items()
            if isinstance(value, MemberDescriptorType)
        }
    return slots
