"""What the program wants to hear of its functions: levels of loggers, and filters of warnings.

Other processes use those of the moment when the iterator hands out its first batch, so that they send
what the program would show, and so that a warning that is an error there is one here. The program then
has its present levels and filters decide again.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Hearing", "hearing_as", "program_hearing"]

_EACH_TIME: Final = ("always", "all")
Filter = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Hearing:
    """The levels and filters of a program.

    Attributes:
        levels: The names of loggers that have a level, with it; "" is the root.
        disabled: The level up to which `logging.disable` silences all.
        filters: `warnings.filters`; classes that can be imported are tuples of module and name, because
            to load their modules, which nobody may need, takes time.
    """

    levels: tuple[tuple[str, int], ...]
    disabled: int
    filters: tuple[Filter, ...]

    @property
    def repeats(self) -> bool:
        """Whether some warnings are shown each time."""
        return any(action in _EACH_TIME for action, *_ in self.filters)


def program_hearing() -> Hearing:
    """That of this process."""
    loggers = tuple(logging.root.manager.loggerDict.items())
    levels = [
        (name, one.level) for name, one in loggers if isinstance(one, logging.Logger) and one.level
    ]
    filters = tuple(
        (action, text, _as_name(category), module, line)
        for action, text, category, module, line in tuple(warnings.filters)
    )
    return Hearing((("", logging.root.level), *levels), logging.root.manager.disable, filters)


@contextmanager
def hearing_as(hearing: Hearing) -> Iterator[None]:
    """Uses the levels and filters of a program in this process, which is another one.

    A warning that the program shows in whatever way is shown each time.
    """
    with warnings.catch_warnings(), _levels_of(hearing):
        present = [(rule, _as_class(rule[2])) for rule in hearing.filters]
        warnings.filters[:] = [  # type: ignore[index]  # declared as if it were not a list
            (_sent(action), text, category, module, line)
            for (action, text, _, module, line), category in present
            if category is not None
        ]
        warnings.simplefilter("always", append=True)
        yield


@contextmanager
def _levels_of(hearing: Hearing) -> Iterator[None]:
    manager = logging.root.manager
    wanted = [(logging.getLogger(name), level) for name, level in hearing.levels]
    changed = [(logger, logger.level) for logger, level in wanted if logger.level != level]
    disabled = manager.disable
    for logger, level in wanted if changed else ():
        logger.setLevel(level)
    if disabled != hearing.disabled:
        logging.disable(hearing.disabled)
    try:
        yield
    finally:
        for logger, level in changed:
            logger.setLevel(level)
        if disabled != hearing.disabled:
            logging.disable(disabled)


def _sent(action: str) -> str:
    return action if action in ("error", "ignore") else "always"


def _as_name(category: Any) -> Any:
    importable = category.__module__ != "__main__" and "<" not in category.__qualname__
    return (category.__module__, category.__qualname__) if importable else category


def _as_class(category: Any) -> Any:
    """The class; None if its module is not loaded here, so that no warning can be of that class."""
    if isinstance(category, type):
        return category
    module, name = category
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None
