"""What cannot be meant in a data set, as a record that flow methods, commands and tests read."""

from __future__ import annotations

from typing import Final, NamedTuple

from imageloom._warnings import Code

__all__ = ["Mistake"]

_CODES: Final = {
    "flat-folder": Code.FLAT_FOLDER,
    "parts-as-classes": Code.PARTS_AS_CLASSES,
    "one-level-too-high": Code.ONE_LEVEL_TOO_HIGH,
    "suffixes": Code.SUFFIXES,
    "left-by-a-program": Code.LEFT_BY_A_PROGRAM,
    "missing-class": Code.MISSING_CLASS,
    "empty-in-subset": Code.EMPTY_IN_SUBSET,
    "no-images": Code.NO_IMAGES,
    "beside-classes": Code.BESIDE_CLASSES,
    "same-picture": Code.SAME_PICTURE,
    "same-file": Code.SAME_FILE,
    "rows-left-out": Code.ROWS_LEFT_OUT,
    "masks-as-classes": Code.MASKS_AS_CLASSES,
    "missing-values": Code.MISSING_VALUES,
    "subsets-differ": Code.SUBSETS_DIFFER,
    "changed-labels": Code.CHANGED_LABELS,
    "empty-class": Code.EMPTY_CLASS,
    "binary": Code.NOT_BINARY,
    "files-not-found": Code.MISSING_FILES,
}


class Mistake(NamedTuple):
    """Something in a data set that cannot be meant, or hardly.

    Attributes:
        kind: what it is, in a word that never changes, such as "flat-folder".
        text: the cause, how often, an example, and a remedy.
    """

    kind: str
    text: str

    @property
    def code(self) -> Code:
        """The code of the warning."""
        return _CODES[self.kind]
