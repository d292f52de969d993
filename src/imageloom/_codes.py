"""The codes of warnings and hints, by which programs filter them and the documentation explains them.

The page `docs/warnings.md` has a section for each code; a test compares both. A code never changes its
meaning, and the code of a warning that no longer exists is not used again.

* IL1..: pixels that cannot be meant, found in the first batch of an iterator.
* IL2..: data that cannot be meant, found when an iterator is made.
* IL3..: arguments that have no effect, or not the expected one.
* IL4..: files and storages.
* IL5..: workers and installed packages.

Codes below IL300 are the first word of their messages: `warnings.filterwarnings("ignore", "IL101")`.
The other messages are older than the codes, and programs filter them by their first words, some of
which are Keras'. So there the code stands at the end.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Code", "coded"]


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
