"""What a user probably meant: the nearest of some names, and other libraries' words for our values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["as_words", "nearest", "nearest_value", "similar"]

_CUTOFF: Final = 0.6  # of difflib's ratio; below it, suggestions are guesses
# Words of other libraries, and words that people try, by the values of ours that they stand for.
_VALUES: Final = {
    "binary": "bool boolean",
    "bicubic": "cubic",
    "bilinear": "linear",
    "box": "area",
    "categorical": "onehot one_hot multiclass multi_class multilabel multi_label",
    "center_xywh": "cxcywh",
    "channels_first": "nchw first th channel_first torch pytorch",
    "channels_last": "nhwc last tf channel_last tensorflow",
    "constant": "zeros zero black pad",
    "gauss": "gaussian normal",
    "grayscale": "gray grey greyscale l mono bw luminance",
    "image": "mask masks segmentation",
    "input": "autoencoder same",
    "lanczos": "lanczos3 lanczos5 antialias",
    "multi_output": "multi outputs",
    "nearest": "edge replicate border nearest_neighbor nearest_neighbour",
    "processes": "process multiprocessing spawn fork loky",
    "raise": "error fail strict",
    "raw": "regression float values other",
    "reflect": "symmetric",
    "rel_center_xywh": "yolo rel_cxcywh xywhn cxcywhn",
    "rel_xyxy": "albumentations xyxyn",
    "rel_yxyx": "tf tensorflow",
    "replace": "skip ignore drop",
    "s&p": "salt_and_pepper salt&pepper salt_pepper sp",
    "serial": "sync synchronous single none main debug",
    "sparse": "int integer index label",
    "threads": "thread threading",
    "training": "train",
    "validation": "val valid test eval",
    "wrap": "circular tile periodic",
    "xywh": "coco ltwh",
    "xyxy": "pascal_voc voc ltrb",
}


def nearest(name: str, allowed: Iterable[str], cutoff: float = _CUTOFF) -> str | None:
    """The name that is most like another one; None if none is like it.

    Args:
        name: what was received.
        allowed: what could be meant.
        cutoff: how much of them has to be alike, 0..1.
    """
    key = _key(name)
    by_key = {_key(own): own for own in reversed(list(allowed))}  # the first of equal ones counts
    if key in by_key:
        return by_key[key]
    beginning = [own for own in by_key if own.startswith(f"{key}_")]
    if len(beginning) == 1:
        return by_key[beginning[0]]
    found = similar(key, list(by_key), 1, cutoff)
    return by_key[found[0]] if found else None


def similar(name: str, names: Sequence[str], count: int, cutoff: float = 0.8) -> list[str]:
    """The names that are spelt most like another one, at most `count`."""
    import difflib  # costs 2 ms, which only an error should take

    return difflib.get_close_matches(name, names, n=count, cutoff=cutoff)


def nearest_value(value: str, allowed: Iterable[str]) -> str | None:
    """The allowed value that a word stands for, in other libraries or misspelt."""
    allowed, key = list(allowed), _key(value)
    for own in allowed:
        if key in _VALUES.get(own, "").split():
            return own
    return nearest(value, allowed)


def as_words(names: Iterable[str], last: str = "and") -> str:
    """Some names in a sentence, with commas between them and a word before the last one."""
    *others, end = names
    return f"{', '.join(others)} {last} {end}" if others else end


def _key(name: str) -> str:
    """A name as it is compared: `targetSize`, `Target-Size` and `target_size` are one."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s\-.]+", "_", parted).lower()
