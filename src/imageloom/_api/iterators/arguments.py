"""Checks of the flow methods' arguments that concern more than a single value, and warnings."""

from __future__ import annotations

import os
import re
from typing import Any, Final

import numpy as np

from imageloom._adapters.ranks import own_shard
from imageloom._checks.paths import check_path
from imageloom._checks.values import check_flag
from imageloom._errors import MissingDirectoryError
from imageloom._options import GeneratorOptions
from imageloom._storage.archives import ARCHIVES
from imageloom._storage.places import folder_exists
from imageloom._storage.urls import is_url
from imageloom._stream.order import OrderOptions
from imageloom._warnings import Code, warn_user

__all__ = [
    "IGNORED_KEYWORDS",
    "check_directory",
    "geometry_warning",
    "order_options",
    "without_deprecated",
]

IGNORED_KEYWORDS: Final = ("has_ext", "sort", "drop_duplicates")


def order_options(
    shuffle: bool | str, seed: int | None, balance: bool, shard: tuple[int, int] | str | None
) -> OrderOptions:
    """The order of samples that the arguments of a flow method describe.

    Raises:
        InvalidArgumentError, ArgumentTypeError: arguments that exclude each other (see
            `OrderOptions`).
    """
    check_flag("balance", balance)
    if not isinstance(shuffle, str):
        check_flag("shuffle", shuffle)
    if isinstance(shard, str) and shard == "auto":
        shard = own_shard()
    return OrderOptions(
        shuffle=shuffle,
        seed=seed,
        balance=balance,
        shard=(0, 1) if shard is None else shard,  # type: ignore[arg-type]  # checked by `OrderOptions`
    )


def check_directory(name: str, path: Any, *, remote: bool = False) -> None:
    """Raises unless the folder exists; with `remote` it may be a URL."""
    path = check_path(name, path)
    if folder_exists(path) if remote and is_url(path) else os.path.isdir(path):
        return
    hint = ""
    if os.path.isfile(path) and path.endswith(tuple(f".{kind}" for kind in ARCHIVES)):
        hint = f" To read the folders in an archive, pass {path.rpartition('.')[2]}://::{path}"
    elif re.match(r"[A-Za-z][\w+.-]+:/[^/]", path):
        hint = " Pass a URL as a string: pathlib removes one of its slashes."
    raise MissingDirectoryError(f"`{name}` is not an existing folder: {path!r}.{hint}")


def without_deprecated(deprecated: dict[str, Any], class_mode: str | None) -> str | None:
    """Warns of keywords and a class mode of old Keras versions; returns the current class mode."""
    for name in deprecated:
        warn_user(
            f"`{name}` is deprecated and has no effect; leave it out.",
            DeprecationWarning,
            code=Code.DEPRECATED,
        )
    if not isinstance(class_mode, str) or class_mode != "other":
        return class_mode
    warn_user(
        '`class_mode="other"` is deprecated, please use `class_mode="raw"`.',
        DeprecationWarning,
        code=Code.DEPRECATED,
    )
    return "raw"


def geometry_warning(options: GeneratorOptions, size: tuple[int, int]) -> str | None:
    """The warning about Keras' exchanged axes; None if they make no visible difference."""
    transform = options.transform
    if transform.corrected_geometry or not transform.random_transforms_enabled:
        return None
    shifts = (transform.height_shift_range, transform.width_shift_range)
    fractional = any(shift and np.max(shift) < 1 for shift in shifts)
    uneven = size[0] != size[1] and (transform.turns_or_scales or fractional)
    if not uneven and shifts[0] == shifts[1]:
        return None
    return (
        'Keras exchanges two axes, and geometry="keras" gives the same results: height_shift_range '
        "moves columns, width_shift_range moves rows, and images that are not square rotate about "
        'a point beside their centre. Pass geometry="corrected" for correct axes. Square images '
        "with equal shift ranges are not affected."
    )
