"""Why the files that a data frame names are not found: what was tried, and which name there is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from imageloom._sources.mistakes import Mistake
from imageloom._storage.places import folder_exists
from imageloom._storage.urls import is_url, join, last_part

__all__ = ["names_without_files", "not_found"]

_LOOKED_AT: Final = 1000
_LARGEST_FOLDER: Final = 10_000


def not_found(
    bad: Sequence[str], *, directory: str, root: str, formats: Sequence[str], argument: str, column: str
) -> Mistake:
    """Describes the rows that name no image file and are left out.

    Args:
        bad: the names of these files.
        directory: the folder as the user named it; "" for the working directory.
        root: the same, absolute.
        formats: the suffixes of the files that are images.
        argument: the argument that names the column.
        column: the column.
    """
    text = (
        f'Found {len(bad)} invalid image filename(s) in {argument}="{column}". These filename(s) will '
        "be ignored."
    )
    exists = folder_exists(root) if is_url(root) else os.path.isdir(root)
    if not exists:
        return Mistake("files-not-found", f"{text} The folder {directory!r} does not exist.")
    there = Counter(
        os.path.splitext(last_part(name))[1].lower()
        for name in bad[:_LOOKED_AT]
        if _is_file(root, name) and not name.lower().endswith(tuple(formats))
    )
    if there:
        counts = (f"{count:,} {suffix or 'without suffix'}" for suffix, count in there.most_common())
        example = next(name for name in bad if _is_file(root, name))
        return Mistake(
            "suffixes",
            f"{text} {there.total():,} of them exist, for example {_shown(directory, example)!r}, but "
            f"their suffix is none of {', '.join(formats)}: {', '.join(counts)}. Pass "
            "validate_filenames=False, which reads all that Pillow reads, or `extensions`, or "
            "convert the files.",
        )
    hint = _hint(bad[0], directory, root, formats, column)
    tried = f"The first one tried is {_shown(directory, bad[0])!r}"
    return Mistake("files-not-found", f"{text} {tried}{hint or ', which does not exist.'}")


def names_without_files(
    names: Sequence[str], *, directory: str, root: str, formats: Sequence[str], column: str
) -> list[Mistake]:
    """Looks at the first of the names, which are not validated, and finds what may be meant."""
    if not names or is_url(root) or is_url(names[0]) or _is_file(root, names[0]):
        return []
    hint = _hint(names[0], directory, root, formats, column)
    if not hint or "does not exist" in hint:
        return []
    text = f'The files in x_col="{column}" are not found. The first one tried is '
    return [Mistake("files-not-found", f"{text}{_shown(directory, names[0])!r}{hint}")]


def _shown(directory: str, name: str) -> str:
    return join(directory, name) if directory else name


def _is_file(root: str, name: str) -> bool:
    path = join(root, name)
    return not is_url(path) and os.path.isfile(path)


def _hint(name: str, directory: str, root: str, formats: Sequence[str], column: str) -> str:
    """What to change so that a file is found; "" if nothing like it is there."""
    stem, suffix = os.path.splitext(name)
    added = [f".{form}" for form in formats] + [f".{form.upper()}" for form in formats]
    added += [".webp", ".gif", ".npy"]
    known = tuple(f".{form}" for form in formats)
    for ending in _found_with(root, name, added):
        return f": add {ending!r}? frame[{column!r}] = frame[{column!r}] + {ending!r}"
    if not name.lower().endswith(known) and not suffix:
        return ', which has no suffix, and does not exist with one either: add it, as in "17.jpg".'
    for ending in _found_with(root, stem, added):
        return f", but there is {_shown(directory, stem + ending)!r}: the suffix differs."
    others = () if is_url(root) else _other_names(name, directory)
    for other, why in others:
        if _is_file(root, other):
            return f", but there is {_shown(directory, other)!r}: {why}."
    return ""


def _found_with(root: str, stem: str, endings: Sequence[str]) -> Iterator[str]:
    """Of files on this machine; each look at another one costs a storage many requests."""
    yield from (ending for ending in endings if _is_file(root, stem + ending))


def _other_names(name: str, directory: str) -> Iterator[tuple[str, str]]:
    """Names that may be meant, with the difference."""
    yield name.strip(), "the name has spaces around it"
    yield name.replace("\\", "/"), "the name has backslashes"
    yield name.lstrip("/\\"), "the name begins with a slash"
    inner = os.path.basename(os.path.normpath(directory)) if directory else ""
    first, _, rest = name.replace("\\", "/").partition("/")
    if rest and first == inner:
        yield rest, "`directory` is in the names already"
    yield os.path.basename(name), "names are relative to `directory`"
    if directory:
        yield os.path.abspath(name), "leave out `directory`, which is in the names already"
    folder = os.path.join(directory, os.path.dirname(name)) or "."
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, _LARGEST_FOLDER):
                if entry.name.lower() == os.path.basename(name).lower():
                    yield os.path.join(os.path.dirname(name), entry.name), "capitals differ"
    except OSError:
        return
