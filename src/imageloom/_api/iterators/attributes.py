"""The attributes of iterators, which may be assigned at any time.

An iterator keeps nothing twice. Its attributes are views: `Label` of its data set, `Setting` of its
checked arguments, `Order` of the order of its samples. So a change takes effect at the next batch, as
in Keras: batches that were computed ahead are dropped, or handed out with the new labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from imageloom._checks.values import check_int
from imageloom._errors import ArgumentTypeError

if TYPE_CHECKING:
    from typing import Self

    from imageloom._api.iterators.machinery import IteratorMachinery

__all__ = ["Label", "Number", "Order", "Setting"]

T = TypeVar("T")


class _View(Generic[T]):
    """An attribute whose value is kept elsewhere.

    A subclass may assign it before it calls `__init__`, which assigns it again.
    """

    def __init__(self, kept_as: str = "") -> None:
        """`kept_as` is the name of the value where it is kept; by default that of the attribute."""
        self._kept_as = kept_as
        self._name = kept_as

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self._kept_as = self._kept_as or name

    @overload
    def __get__(self, obj: None, owner: type) -> Self: ...

    @overload
    def __get__(self, obj: IteratorMachinery, owner: type) -> T: ...

    def __get__(self, obj: IteratorMachinery | None, owner: type) -> Self | T:
        if obj is None:
            return self
        if not obj._has_begun:
            try:
                early: T = vars(obj)[self._name]
            except KeyError:
                raise AttributeError(self._name, name=self._name, obj=obj) from None
            return early
        return self._read(obj)

    def __set__(self, obj: IteratorMachinery, value: T) -> None:
        if obj._has_begun:
            self._assign(obj, value)
        else:
            vars(obj)[self._name] = value

    def _read(self, obj: IteratorMachinery) -> T:
        raise NotImplementedError

    def _assign(self, obj: IteratorMachinery, value: T) -> None:
        raise NotImplementedError


class Label(_View[T]):
    """A part of the data set that batches are put together with when they are handed out."""

    def _read(self, obj: IteratorMachinery) -> T:
        value: T = getattr(obj._plan.source, self._kept_as)
        return value

    def _assign(self, obj: IteratorMachinery, value: T) -> None:
        setattr(obj._plan.source, self._kept_as, value)
        obj._data_changed()


class Setting(_View[T]):
    """An argument that workers compute batches with; it is checked when it is assigned."""

    def _read(self, obj: IteratorMachinery) -> T:
        value: T = getattr(obj._plan.settings, self._kept_as)
        return value

    def _assign(self, obj: IteratorMachinery, value: T) -> None:
        obj._set_settings({self._kept_as: value})


class Order(_View[T]):
    """An argument that the order of samples depends on."""

    def _read(self, obj: IteratorMachinery) -> T:
        value: T = getattr(obj._order.options, self._kept_as)
        return value

    def _assign(self, obj: IteratorMachinery, value: T) -> None:
        obj._stream.rearrange(lambda order: order.set_options(**{self._kept_as: value}))
        obj._fingerprint_changed()


class Number(_View[int]):
    """A whole number that describes the order or the position."""

    def __init__(
        self,
        read: Callable[[IteratorMachinery], int],
        assign: Callable[[IteratorMachinery, int], None],
        least: int = 0,
        doc: str = "",
    ) -> None:
        """`read` and `assign` do what they say; `least` is the smallest number that is allowed."""
        super().__init__()
        self._get, self._put, self._least = read, assign, least
        self.__doc__ = doc

    def _read(self, obj: IteratorMachinery) -> int:
        return self._get(obj)

    def _assign(self, obj: IteratorMachinery, value: int) -> None:
        if not hasattr(value, "__index__"):
            raise ArgumentTypeError(f"`{self._name}` must be a whole number; received {value!r}.")
        number = value.__index__()
        check_int(self._name, number, self._least)
        self._put(obj, number)
