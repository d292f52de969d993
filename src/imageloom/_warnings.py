"""Warnings that name a line of the user's code and have a code, hints, and what is shown once.

A warning should name a line that the user can change. The number of frames between that line and
the warning varies, so a fixed `stacklevel` would be wrong. The first frame outside this package
belongs to the user, or to the framework that calls the package for the user.

The page `docs/warnings.md` has a section for each code; a test compares both. A code never changes its
meaning, and the code of a warning that no longer exists is not used again.

* IL1..: pixels that cannot be meant, found in the first batch of an iterator.
* IL2..: data that cannot be meant, found when an iterator is made.
* IL3..: arguments that have no effect, or not the expected one.
* IL4..: files and storages.
* IL5..: workers and installed packages.

Codes below IL300 are the first word of their messages: `warnings.filterwarnings("ignore", "IL101")`.
The other messages are older than the codes, and programs filter them by their first words, some of
which are Keras'. So there the code stands at the end. A last line of each names its section.
"""

from __future__ import annotations

import inspect
import logging
import re
import warnings
from collections.abc import Callable
from enum import StrEnum
from types import FrameType
from typing import Final

from imageloom._addresses import address_line
from imageloom._errors import printable

__all__ = ["Code", "Hint", "Once", "coded", "listeners", "warn_user"]

# Called with each message, without the line that names its section, and the user's file and line,
# even if the program's filters hide the message.
listeners: Final[list[Callable[[str, str, int], None]]] = []

_CODED: Final = re.compile(r"^(IL\d{3}): |\[(IL\d{3})\]$")
# Modules of the standard library whose frames lie between frames of this package.
_PASSED_OVER: Final = frozenset({"contextlib", "functools"})


class Code(StrEnum):
    """What a warning or a hint is about."""

    # Pixels, in the first batch
    CLIPPED_FILES = "IL101"
    RESCALED_TWICE = "IL102"
    RESCALE_MISFIT = "IL103"
    INTEGER_DTYPE = "IL104"
    COLOUR_SCALE = "IL105"
    NEGATIVE_FACTOR = "IL106"
    CONSTANT_BATCH = "IL107"
    AUGMENTED_VALIDATION = "IL108"  # a hint
    NOT_FINITE = "IL109"

    # Data, when an iterator is made
    FLAT_FOLDER = "IL201"
    PARTS_AS_CLASSES = "IL202"
    ONE_LEVEL_TOO_HIGH = "IL203"
    SUFFIXES = "IL204"
    LEFT_BY_A_PROGRAM = "IL205"
    MISSING_CLASS = "IL206"
    EMPTY_IN_SUBSET = "IL207"
    NO_IMAGES = "IL208"
    BESIDE_CLASSES = "IL209"
    SAME_PICTURE = "IL210"
    SAME_FILE = "IL211"
    ROWS_LEFT_OUT = "IL212"
    MASKS_AS_CLASSES = "IL213"
    MISSING_VALUES = "IL214"
    SUBSETS_DIFFER = "IL215"
    CHANGED_LABELS = "IL216"

    # Arguments
    NOT_FITTED = "IL301"
    EXCHANGED_AXES = "IL302"
    OVERRIDDEN_OPTION = "IL303"
    DEPRECATED = "IL304"
    CLASSES_IGNORED = "IL305"
    CACHE_KEEPS_NOTHING = "IL306"
    CHANNELS = "IL307"
    MULTIPROCESSING_IGNORED = "IL308"
    OTHER_STATISTICS = "IL309"
    NUMBER_FOR_SWITCH = "IL310"

    # Files
    EMPTY_CLASS = "IL401"
    NOT_BINARY = "IL402"
    MISSING_FILES = "IL403"
    UNLISTED_FOLDER = "IL404"
    STRANGE_NAMES = "IL405"
    LEFT_OUT_ENTRIES = "IL406"
    MULTIBAND_TIFF = "IL407"
    JPEG_WITHOUT_ALPHA = "IL408"
    REPLACED_IMAGE = "IL409"

    # Workers and packages
    NO_WORKERS = "IL501"
    OPENCV_CLASH = "IL502"


def coded(code: Code, text: str) -> str:
    """The message with its code."""
    return f"{code}: {text}" if code < "IL3" else f"{text} [{code}]"


class Hint(UserWarning):
    """The category of a message about something that is often meant; it is logged, and no warning."""


def warn_user(message: str, category: type[Warning] = UserWarning, *, code: Code | None = None) -> None:
    """Warns, with the file and line of the first caller outside this package.

    Args:
        message: What is wrong, an example, and what to change.
        category: The class of the warning; `Hint` for a message that is only logged.
        code: The code of the warning; None if the message contains it, or comes from another library.
    """
    message = printable(message if code is None else coded(code, message))
    frame = _users_frame()
    if frame is not None:
        for listener in listeners:
            listener(message, frame.f_code.co_filename, frame.f_lineno)
    if name := code or _code_in(message):
        message = f"{message}\n{address_line(name)}"
    if issubclass(category, Hint):
        logging.getLogger(__package__).info(message)
        return
    if frame is None:  # the interpreter does not support frames
        warnings.warn(message, category, stacklevel=2)
        return
    warnings.warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=frame.f_globals.get("__name__") or "<string>",  # with None, nothing is shown
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _code_in(message: str) -> str | None:
    """The code of a coded message."""
    found = _CODED.search(message)
    return None if found is None else found[1] or found[2]


def _users_frame() -> FrameType | None:
    """The innermost frame outside this package."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
    return frame


def _is_ours(frame: FrameType) -> bool:
    # By module, not by file, because the `__init__` of a data class has no file.
    module = str(frame.f_globals.get("__name__", ""))
    return module in _PASSED_OVER or module.partition(".")[0] == __package__


class Once:
    """Remembers keys, so that a message is shown only once."""

    def __init__(self) -> None:
        """Starts without any keys."""
        self._seen: set[str] = set()

    def first(self, key: str) -> bool:
        """Adds `key`; returns whether it is new."""
        new = key not in self._seen
        self._seen.add(key)
        return new
