"""Pillow's switches and plug-ins, which workers take over from the program.

Programs change Pillow for the whole process: `ImageFile.LOAD_TRUNCATED_IMAGES`,
`Image.MAX_IMAGE_PIXELS`, and the formats that `Image.register_open` adds. In the program's own process
(executors "serial" and "threads") they simply apply. Other processes take over the values that the
program had at the first batch of the iterator, for each of its batches, because a worker may compute
for several iterators by turns.

Pillow is looked for among the loaded modules only: a program that never imported it has changed
nothing.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "PillowSettings",
    "loads_truncated",
    "program_settings",
    "use_settings",
    "warnings_of_pillow",
]

_OWN_PACKAGE: Final = "PIL."
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class PillowSettings:
    """What a program has changed in Pillow.

    Attributes:
        load_truncated: `ImageFile.LOAD_TRUNCATED_IMAGES`.
        max_pixels: `Image.MAX_IMAGE_PIXELS`.
        order: The names of the formats in the order in which they are tried; empty if the program has
            added none.
        added: What the program has registered: the name of the table, the key, and the value. Classes
            and functions travel as hooks do, by the name of their module or as they are.
    """

    load_truncated: bool
    max_pixels: int | None
    order: tuple[str, ...] = ()
    added: tuple[tuple[str, str, Any], ...] = ()

    @property
    def of_pixels(self) -> list[str]:
        """What may change the pixels of a file, in words that are the same in every run."""
        words = ["LOAD_TRUNCATED_IMAGES"] if self.load_truncated else []
        for table, key, value in self.added:
            driver = value[0] if table == "OPEN" else value
            kind = driver if hasattr(driver, "__qualname__") else type(driver)
            words.append(f"{table} {key} {kind.__module__}.{kind.__qualname__}")
        return words


_TABLES: Final = ("OPEN", "SAVE", "DECODERS", "ENCODERS")
# The tables when nothing was found in them; to compare them is quicker than to look through them.
_looked_through: Final[dict[str, dict[str, Any]]] = {}


def program_settings() -> PillowSettings | None:
    """The settings of this process; None if it has not loaded Pillow."""
    image = sys.modules.get("PIL.Image")
    if image is None:
        return None
    tables = {table: getattr(image, table) for table in _TABLES}
    added = () if tables == _looked_through else _added(tables)
    return PillowSettings(
        load_truncated=loads_truncated(),
        max_pixels=image.MAX_IMAGE_PIXELS,
        order=tuple(image.ID) if added else (),
        added=added,
    )


def _added(tables: dict[str, dict[str, Any]]) -> tuple[tuple[str, str, Any], ...]:
    copies = {table: dict(drivers) for table, drivers in tables.items()}
    added = tuple(
        (table, key, value)
        for table, drivers in copies.items()
        for key, value in drivers.items()
        if is_added(value[0] if table == "OPEN" else value)
    )
    if not added:
        _looked_through.update(copies)
    return added


def loads_truncated() -> bool:
    """Whether Pillow reads files that end too early, at this moment and in this process."""
    return bool(getattr(sys.modules.get("PIL.ImageFile"), "LOAD_TRUNCATED_IMAGES", False))


def is_added(driver: Any) -> bool:
    """Whether a class or function that is registered with Pillow is not its own."""
    module = getattr(driver, "__module__", None) or type(driver).__module__
    return not module.startswith(_OWN_PACKAGE)


class _InUse:
    """The settings that this worker has taken over, and how to undo what they registered."""

    def __init__(self) -> None:
        self.settings: PillowSettings | None = None
        self.undo: list[tuple[dict[str, Any], str, Any]] = []


_in_use: Final = _InUse()


def use_settings(settings: PillowSettings | None) -> None:
    """Makes this worker process use the settings of a program; None stands for Pillow's own."""
    from PIL import Image, ImageFile

    chosen = _settings_at_start() if settings is None else settings
    ImageFile.LOAD_TRUNCATED_IMAGES = chosen.load_truncated
    Image.MAX_IMAGE_PIXELS = chosen.max_pixels
    if chosen is _in_use.settings:
        return
    for table, key, before in reversed(_in_use.undo):
        if before is _MISSING:
            table.pop(key, None)
        else:
            table[key] = before
    _in_use.undo.clear()
    for name, key, value in chosen.added:
        table = getattr(Image, name)
        _in_use.undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value
    names = dict.fromkeys((*chosen.order, *Image.ID, *Image.OPEN))
    Image.ID[:] = [name for name in names if name in Image.OPEN]
    _in_use.settings = chosen


@functools.cache
def _settings_at_start() -> PillowSettings:
    settings = program_settings()
    assert settings is not None  # `use_settings` has imported Pillow
    return settings


@contextmanager
def warnings_of_pillow() -> Iterator[list[tuple[str, str, type[Warning]]]]:
    """Collects Pillow's warnings about huge images, which the user's process has to show.

    Only worker processes may use it, because it replaces a function of the whole process. Each item is
    a key, the text and the class.
    """
    import warnings

    from PIL import Image

    _warn_each_time()
    found: list[tuple[str, str, type[Warning]]] = []
    show: Callable[..., None] = warnings.showwarning

    def note(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, Image.DecompressionBombWarning):
            found.append((f"pillow: {message}", str(message), category))
        else:
            show(message, category, *place, **more)

    warnings.showwarning = note
    try:
        yield found
    finally:
        warnings.showwarning = show


def _warn_each_time() -> None:
    """Python shows a warning once in a process, but a worker serves several iterators."""
    import warnings

    from PIL import Image

    if ("always", None, Image.DecompressionBombWarning, None, 0) != warnings.filters[0]:
        warnings.filterwarnings("always", category=Image.DecompressionBombWarning)
