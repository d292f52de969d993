"""Receipts: digests of data, options, versions and batches, and what differs from them."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np

from imageloom._checks.values import check_flag, check_int
from imageloom._errors import (
    ArgumentTypeError,
    BatchIndexError,
    ImageLoomError,
    InvalidArgumentError,
    StateMismatchError,
)
from imageloom._imaging.kernels import kernels
from imageloom._preview.progress import progress_bar
from imageloom._sources.contents import (
    FileGroup,
    array_digest,
    changed_files,
    file_groups,
    file_names,
)
from imageloom._sources.records import TableSource
from imageloom._version import __version__

__all__ = ["differences", "is_receipt", "make_receipt"]

_FORMAT: Final = "imageloom-receipt"
_VERSION: Final = 1
_PACKAGES: Final = (
    "numpy", "pillow", "opencv-python-headless", "simplejpeg", "isal", "kornia-rs", "cykooz-resizer"
)  # fmt: skip
_OF_DATA: Final = ("files", "pixels")  # whose differences are told by other sentences
_TOLD: Final = 20  # differences of one kind


def is_receipt(found: Any) -> bool:
    """Whether this looks like a receipt."""
    return isinstance(found, Mapping) and found.get("format") == _FORMAT


def make_receipt(iterator: Any, batches: Any, *, contents: Any) -> dict[str, Any]:
    """The receipt of an iterator; see its method `receipt`."""
    check_int("batches", batches, 1)
    check_flag("contents", contents)
    length = len(iterator)
    if not length:
        raise BatchIndexError("There is nothing to give a receipt for: the iterator has no images.")
    state, source = iterator.state_dict(), iterator._plan.source
    positions = {int(place) for place in np.linspace(0, length - 1, min(batches, length))}
    positions |= {max(0, state["position"] - 1)}
    names = file_names(source)
    with progress_bar(len(names), "digest", "files") as bar:
        groups = file_groups(source, names, bar.update, contents=bool(contents))
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "versions": _versions(),
        "state": state,
        "statistics": _statistics(iterator),
        "contents": bool(contents),
        "files": [list(dataclasses.astuple(group)) for group in groups],
        "array": array_digest(source, contents=bool(contents)),
        "batches": [
            {"position": place, "parts": _parts(iterator.batch(place))} for place in sorted(positions)
        ],
    }


def _versions() -> dict[str, str]:
    found = {
        "imageloom": __version__,
        "kernels": "not compiled" if kernels is None else "compiled",
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return {**found, "machine": platform.machine(), "system": platform.system()}


def _statistics(iterator: Any) -> dict[str, Any]:
    """The mean and the deviation of the generator, which are small; not a whitening matrix."""
    statistics = iterator._generator._freeze().statistics
    return {
        name: {"dtype": value.dtype.str, "values": value.tolist()}
        for name in ("mean", "std")
        if isinstance(value := getattr(statistics, name), np.ndarray)
    }


def _parts(batch: Any) -> list[str]:
    """A digest of each array of a batch, which begins with its dtype and shape."""
    if isinstance(batch, Mapping):
        return [part for name in sorted(batch) for part in _parts(batch[name])]
    if isinstance(batch, (tuple, list)):
        return [part for each in batch for part in _parts(each)]
    array = np.ascontiguousarray(batch)
    content = repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
    return [f"{array.dtype.str} {array.shape} {hashlib.sha256(content).hexdigest()[:32]}"]


def differences(iterator: Any, receipt: Any) -> list[str]:
    """What differs from a receipt, in sentences; see the iterator's method `verify`."""
    state, groups, batches = _checked(receipt)
    found = [*_of_arguments(iterator, state)]
    found += _told(_of_data(iterator, receipt, groups))
    if len(iterator):
        wrong = [*_of_batches(iterator, batches)]
        found += _told(wrong)
        if wrong:
            found += _of_versions(receipt["versions"])
    elif not found:
        found.append("there are no images")
    return found


def _checked(receipt: Any) -> tuple[Mapping[str, Any], list[FileGroup], list[tuple[int, list[str]]]]:
    """The state, the files and the batches of a receipt."""
    if not isinstance(receipt, Mapping):
        raise ArgumentTypeError(
            "The receipt must be a dictionary that `receipt` has returned; received "
            f"{type(receipt).__name__}. Read a file of it with json.load(file)."
        )
    if not is_receipt(receipt):
        raise InvalidArgumentError(
            "This is not a receipt: pass a dictionary that `receipt` of an iterator has returned."
        )
    if receipt.get("version") != _VERSION:
        raise StateMismatchError(
            f"The receipt has version {receipt.get('version')!r:.40}; this imageloom reads version "
            f"{_VERSION}. Update imageloom."
        )
    try:
        groups = [FileGroup(str(f), int(n), int(size), str(d)) for f, n, size, d in receipt["files"]]
        batches = [(int(each["position"]), list(each["parts"])) for each in receipt["batches"]]
        state, versions = receipt["state"], receipt["versions"]
        known = isinstance(state["fingerprint"], Mapping) and isinstance(versions, Mapping)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidArgumentError("The receipt is damaged: something in it is missing.") from error
    if not known or any(position < 0 for position, _ in batches):
        raise InvalidArgumentError("The receipt is damaged: something in it is missing.")
    return state, groups, batches


def _of_arguments(iterator: Any, state: Mapping[str, Any]) -> Iterator[str]:
    present = iterator.state_dict()
    theirs, ours = state["fingerprint"], present["fingerprint"]
    for name in sorted({*theirs, *ours} - set(_OF_DATA), key=str):
        if theirs.get(name) != ours.get(name):
            yield f"{name} was {_short(theirs.get(name))} and is {_short(ours.get(name))}"
    for name, usual in (("seed", None), ("shards", 1), ("shift", 0)):
        if state.get(name, usual) != present.get(name, usual):
            yield f"{name} was {state.get(name, usual)!r} and is {present.get(name, usual)!r}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _of_data(iterator: Any, receipt: Mapping[str, Any], groups: Sequence[FileGroup]) -> Iterator[str]:
    source, contents = iterator._plan.source, bool(receipt.get("contents"))
    names = file_names(source)
    if groups or names:
        with progress_bar(len(names), "verify", "files") as bar:
            starts = [group.first for group in groups] or None
            now = file_groups(source, names, bar.update, contents=contents, starts=starts)
        what = "image" if isinstance(source, TableSource) else "file"
        yield from changed_files(groups, now, what=what)
    elif receipt.get("array") != array_digest(source, contents=contents):
        yield "the values of the arrays have changed"


def _of_batches(iterator: Any, batches: Iterable[tuple[int, list[str]]]) -> Iterator[str]:
    for position, parts in batches:
        try:
            found = _parts(iterator.batch(position))
        except (ImageLoomError, OSError) as error:
            yield f"batch {position} cannot be computed: {error}"
            continue
        if len(found) != len(parts):
            yield f"batch {position}: it had {len(parts)} arrays and has {len(found)}"
        elif found != parts:
            wrong = [
                "the images" if place == 0 else f"array {place}"
                for place, pair in enumerate(zip(found, parts, strict=True))
                if len({*pair}) > 1
            ]
            single = len(wrong) == 1 and wrong[0] != "the images"
            end = "differs from that" if single else "differ from those"
            yield f"batch {position}: {' and '.join(wrong)} {end} of the receipt"


def _of_versions(theirs: Mapping[str, Any]) -> list[str]:
    ours = _versions()
    return [
        f"{name} was {theirs.get(name)} and is {ours.get(name)}, which may be why"
        for name in ours
        if theirs.get(name) != ours[name]
    ]


def _told(sentences: Iterable[str]) -> list[str]:
    found = list(sentences)
    more = len(found) - _TOLD
    return found if more <= 0 else [*found[:_TOLD], f"and {more} more of this kind"]
