"""What cannot be meant in a folder of classes: each mistake with its cause, an example and a remedy.

Nothing here lists a large folder again: what was found while listing is enough, except where there are
no images at all.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from imageloom._sources.listing import LeftOut, left_out
from imageloom._sources.mistakes import Mistake
from imageloom._sources.parts_of_sets import parts_among
from imageloom._sources.same_files import in_several_classes
from imageloom._sources.words import counted, suffixes_in_words
from imageloom._storage.urls import is_url, join, split, split_at_path

__all__ = ["FoundFolder", "classes_without_samples", "folder_mistakes"]

# Suffixes of pictures that are not taken, as in Keras. Other files are notes about the pictures.
_PICTURES: Final = frozenset(
    (".webp", ".heic", ".heif", ".avif", ".gif", ".jfif", ".jpe", ".jp2", ".j2k", ".jxl", ".tga",
     ".pgm", ".pnm", ".pbm", ".dds", ".dng", ".cr2", ".nef", ".arw", ".raw", ".exr", ".hdr", ".dcm")
)  # fmt: skip
_LEFTOVERS: Final = frozenset(
    (".ipynb_checkpoints", "__macosx", "__pycache__", ".git", ".thumbnails", "@eadir", ".trashes",
     "$recycle.bin", "lost+found", "system volume information")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FoundFolder:
    """What listing a folder of classes has found.

    Attributes:
        directory: the folder as the user named it.
        root: the same, absolute.
        names: the classes.
        chosen: whether the user named them.
        files: the images of each class, before a subset is taken.
        counts: the number of samples of each class, in the subset.
        left_out: the files of each class that are not read.
        folders: the sub-folders, if the user did not name the classes or images are missing.
        beside: the files that lie directly in the folder, under the same condition.
        has_labels: whether the class numbers become targets.
        split: the part of each class that the subset takes, as two fractions; None for all.
        formats: the suffixes of the files that are images.
    """

    directory: str
    root: str
    names: Sequence[str]
    chosen: bool
    files: Sequence[Sequence[str]]
    counts: Sequence[int]
    left_out: Sequence[LeftOut] = ()
    folders: Sequence[str] = ()
    beside: Sequence[str] = ()
    has_labels: bool = True
    split: tuple[float, float] | None = None
    formats: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """The number of images of all classes."""
        return sum(map(len, self.files))

    def pictures_beside(self) -> list[str]:
        """The images that lie directly in the folder."""
        return [name for name in self.beside if name.lower().endswith(self.formats)]


def folder_mistakes(found: FoundFolder) -> list[Mistake]:
    """The mistakes of a data set, each as a sentence or two; empty for one that can be meant."""
    if not found.images:
        return [_nothing(found)]
    if not found.chosen and (wrong := _wrong_level(found)):
        return [wrong]
    mistakes = _leftovers(found)
    mistakes += _classes_without_images(found)
    mistakes += _classes_outside_the_subset(found)
    mistakes += _pictures_left_out(found)
    if found.has_labels:
        mistakes += _shared(found)
    return mistakes


def _nothing(found: FoundFolder) -> Mistake:
    """Why there is no image at all."""
    beside = found.pictures_beside()
    if beside and not (found.chosen and found.folders):
        return _flat(found, beside)
    others = _together([*found.left_out, left_out(sorted(found.beside))])
    if others:
        return _not_taken(found, others)
    if not found.names:
        return Mistake(
            "no-images",
            f"No images found in {found.directory!r}: it has neither sub-folders nor images. It needs "
            "one sub-folder of images for each class; look whether this is the right folder.",
        )
    return _empty(found, list(found.names))


def _flat(found: FoundFolder, beside: Sequence[str]) -> Mistake:
    lie = f"{counted(len(beside), 'image')} {'lies' if len(beside) == 1 else 'lie'} directly in it"
    return Mistake(
        "flat-folder",
        f"No images found in class folders of {found.directory!r}, but {lie}, for example "
        f"{min(beside)!r}: {_as_one_class(found)}, or make one sub-folder for each class.",
    )


def _as_one_class(found: FoundFolder) -> str:
    if not is_url(found.root):
        return 'pass classes=["."] to read them as one class (and class_mode=None for images alone)'
    if not split_at_path(found.root)[1].strip("/"):
        return "move them into a folder of the archive, and pass classes with its name"
    parent, name = split(found.root.rstrip("/"))
    return f"to read them as one class, pass directory={parent!r} and classes=[{name!r}]"


def _not_taken(found: FoundFolder, others: LeftOut) -> Mistake:
    total = sum(count for count, _ in others.values())
    taken = f"none of the {total:,} files is" if total > 1 else "its only file is not"
    return Mistake(
        "suffixes",
        f"No images found in {found.directory!r}: {taken} taken as an image: "
        f"{suffixes_in_words(others)}, for example {_first_of(others)!r}. "
        f"{_remedy_for_suffixes(found)}",
    )


def _remedy_for_suffixes(found: FoundFolder) -> str:
    return (
        f"Files are taken by their suffix ({', '.join(found.formats)}): pass `extensions` with others, "
        "convert or rename them, or name them in a data frame, of which "
        "flow_from_dataframe(validate_filenames=False) reads all that Pillow reads."
    )


def _wrong_level(found: FoundFolder) -> Mistake | None:
    """Says whether the folders are parts of a data set, or the only one holds the classes."""
    files_of = {name: files for name, files in zip(found.names, found.files, strict=True) if files}
    parts = parts_among(found.names)
    if parts:
        first = next((part for part in parts if part in files_of), parts[0])
        nested = _folders_inside(files_of.get(first, ()), first)
        where = join(found.directory, first)
        meant = f"did you mean {where!r}" if nested else f"did you mean classes=[{first!r}]"
        few = ", ".join(map(repr, parts[:4]))
        return Mistake(
            "parts-as-classes",
            f"The {len(parts)} folders {few} in {found.directory!r} look like parts of a data set, but "
            f"each counts as a class, and the {found.images:,} images are mixed: {meant}?",
        )
    if not found.has_labels or len(files_of) > 1:
        return None
    name, files = next(iter(files_of.items()))
    below = sorted(_folders_inside(files, name))
    if not below or any(not _inside(file, name)[0] for file in files):
        return None
    where = join(found.directory, name)
    return Mistake(
        "one-level-too-high",
        f"All {found.images:,} images in {found.directory!r} belong to the only class {name!r}, which "
        f"has {counted(len(below), 'folder')} of its own, for example {below[0]!r}: did you mean "
        f"{where!r}?",
    )


def _folders_inside(files: Sequence[str], name: str) -> set[str]:
    """The sub-folders of a class in which there are images."""
    return {folder for file in files if (folder := _inside(file, name)[0])} - {".ipynb_checkpoints"}


def _inside(file: str, name: str) -> tuple[str, str]:
    """The sub-folder of a class in which a file lies, "" for none, and the rest of the path."""
    folder, _, rest = file[len(name) + 1 :].replace(os.sep, "/").rpartition("/")
    return folder.partition("/")[0], rest


def _leftovers(found: FoundFolder) -> list[Mistake]:
    kept = [
        (name, len(files))
        for name, files in zip(found.names, found.files, strict=True)
        if files and name.lower() in _LEFTOVERS and not found.chosen
    ]
    return [
        Mistake(
            "left-by-a-program",
            f"The folder {name!r} in {found.directory!r}, which a program has left there, counts as a "
            f"class with {counted(count, 'image')}: delete it, or name the classes with `classes`.",
        )
        for name, count in kept
    ]


def classes_without_samples(
    directory: str, names: Sequence[str], counts: Sequence[int]
) -> list[Mistake]:
    """The same for classes that a function of the user has listed, of which only counts are known."""
    found = FoundFolder(directory, directory, names, chosen=True, files=(), counts=counts)
    without = [name for name, count in zip(names, counts, strict=True) if not count]
    return [_empty(found, without)] if without else []


def _classes_without_images(found: FoundFolder) -> list[Mistake]:
    """The classes that have no files, and those whose files are not taken."""
    without = [
        (name, left_out)
        for name, files, left_out in zip(found.names, found.files, found.left_out, strict=True)
        if not files
    ]
    empty = [name for name, others in without if not others]
    mistakes = [_empty(found, empty)] if empty else []
    if instead := {name: others for name, others in without if others}:
        which = _which_class(found, list(instead))
        others = _together(list(instead.values()))
        text = (
            f"{which}; the files there are not taken: {suffixes_in_words(others)}, for example "
            f"{_first_of(others)!r}. {_remedy_for_suffixes(found)}"
        )
        mistakes.append(Mistake("suffixes", text))
    return mistakes


def _empty(found: FoundFolder, without: Sequence[str]) -> Mistake:
    which = _which_class(found, without)
    if found.chosen:
        return Mistake("missing-class", f"{which}. {_nearest(found, without[0])}")
    return Mistake(
        "empty-class",
        f"{which}. It keeps its number, so a model gets an output that is never trained: delete the "
        "folder, fill it, or name the classes with `classes`.",
    )


def _which_class(found: FoundFolder, without: Sequence[str], where: str = "") -> str:
    more = f", nor for {len(without) - 1} more of its {len(found.names)} classes"
    return (
        f"No images found for the class {without[0]!r} in {where}{found.directory!r}"
        f"{more if len(without) > 1 else ''}"
    )


def _nearest(found: FoundFolder, name: str) -> str:
    """A folder whose name resembles that of a class without images."""
    alike = {folder.lower(): folder for folder in found.folders if folder != name}
    near = get_close_matches(name.lower(), alike, n=1)
    if near:
        return f"Did you mean {alike[near[0]]!r}?"
    others = [f for f in found.folders if f not in found.names and not f.startswith(".")]
    if name in found.folders or not others:
        return "Fill its folder, or leave it out of `classes`."
    return f"`classes` are names of sub-folders; there are also {', '.join(map(repr, others[:5]))}."


def _classes_outside_the_subset(found: FoundFolder) -> list[Mistake]:
    if found.split is None:
        return []
    lost = [
        (name, len(files))
        for name, files, count in zip(found.names, found.files, found.counts, strict=True)
        if files and not count
    ]
    if not lost:
        return []
    count, fraction = lost[0][1], found.split[1]
    which = _which_class(found, [name for name, _ in lost], "the subset of ")
    text = (
        f"{which}: validation_split={fraction:g} takes none of its {counted(count, 'image')}. Take a "
        f"larger share, or give the class at least {_enough(fraction)} images."
    )
    return [Mistake("empty-in-subset", text)]


def _enough(fraction: float) -> int:
    """The smallest number of images of which a share is at least one."""
    count = max(1, int(1 / fraction))
    while int(fraction * count) < 1:
        count += 1
    return count


def _pictures_left_out(found: FoundFolder) -> list[Mistake]:
    """Pictures that are not taken, where they are more than the others; and those beside classes."""
    mistakes: list[Mistake] = []
    mixed = [o for o, files in zip(found.left_out, found.files, strict=False) if files]
    pictures = {s: kept for s, kept in _together(mixed).items() if s in _PICTURES}
    total = sum(count for count, _ in pictures.values())
    if total > found.images:
        text = (
            f"{counted(total, 'image')} in {found.directory!r} are left out because of their suffix: "
            f"{suffixes_in_words(pictures)}, for example {_first_of(pictures)!r}. "
            f"{_remedy_for_suffixes(found)}"
        )
        mistakes.append(Mistake("suffixes", text))
    beside = found.pictures_beside()
    if not found.chosen and len(beside) > found.images:
        text = (
            f"{counted(len(beside), 'image')} lie directly in {found.directory!r}, beside its class "
            f"folders, and are left out, for example {min(beside)!r}: move them into the folder of "
            f"their class, or {_as_one_class(found)}."
        )
        mistakes.append(Mistake("beside-classes", text))
    return mistakes


def _shared(found: FoundFolder) -> list[Mistake]:
    if is_url(found.root):
        return []
    same = in_several_classes(found.root, dict(zip(found.names, found.files, strict=True)))
    if not same:
        return []
    verb = "lies" if len(same) == 1 else "lie"
    text = (
        f"{counted(len(same), 'file')} of {found.directory!r} {verb} in two classes with the same name "
        f"and content, for example {same[0][0]!r} and {same[0][1]!r}, so one of the labels is "
        "wrong: delete one of them. `imageloom inspect` lists all files with the same content."
    )
    return [Mistake("same-picture", text)]


def _first_of(others: LeftOut) -> str:
    return next(iter(others.values()))[1]


def _together(parts: Sequence[LeftOut]) -> LeftOut:
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for part in parts:
        for suffix, (count, name) in part.items():
            counts[suffix] += count
            first.setdefault(suffix, name)
    return {suffix: (count, first[suffix]) for suffix, count in counts.most_common()}
