"""The data set that `imageloom inspect` examines: a folder of classes, a folder, or a table."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imageloom._errors import ImageLoomError
from imageloom._imaging.extensions import checked_extensions
from imageloom._options import GeneratorOptions
from imageloom._sources.base import subset_split
from imageloom._sources.dataframe import DataFrameSource
from imageloom._sources.directory import DirectorySource
from imageloom._sources.listing import WHITE_LIST_FORMATS
from imageloom._sources.mistakes import Mistake
from imageloom._sources.parts_of_sets import parts_among
from imageloom._sources.single_class import class_folders, list_single_class
from imageloom._sources.splitting import Division, division_of
from imageloom._sources.tables import read_table
from imageloom._storage.places import find_files
from imageloom._storage.urls import is_url

__all__ = ["Listed", "TableColumns", "list_data"]

Formats = tuple[str, ...] | None  # the suffixes of images; None for Keras'


@dataclass(frozen=True, slots=True)
class TableColumns:
    """What the columns of a table mean, as the arguments of `flow_from_dataframe` say it."""

    directory: str | None = None
    x_col: str = "filename"
    y_col: Any = "class"
    weight_col: str | None = None
    class_mode: str | None = "categorical"


@dataclass(frozen=True, slots=True)
class Listed:
    """The files of a data set.

    Attributes:
        root: the folder that names are relative to.
        names: the files.
        classes: the number of images of each class.
        class_of: the class of each file, as far as it has one.
        subsets_of: the subsets of each file, if there are any: a table may name a file twice.
        mistakes: what cannot be meant in the data set.
        others: the number of files that are not read, by suffix.
        refused: why there is no data set, if a table is not what the arguments say; a mistake, too.
    """

    root: str
    names: Sequence[str] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    class_of: Mapping[str, str] = field(default_factory=dict)
    subsets_of: Mapping[str, Sequence[str]] = field(default_factory=dict)
    mistakes: Sequence[Mistake] = ()
    others: Mapping[str, int] = field(default_factory=dict)
    refused: ImageLoomError | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """The samples of a subset: a slice, or what a division says; all samples without either."""

    split: tuple[float, float] | None = None
    division: Division | None = None

    def __bool__(self) -> bool:
        return self.split is not None or self.division is not None


def _part(options: GeneratorOptions | None, subset: str) -> _Part:
    if options is None or not options.validation_share:
        return _Part()
    division = division_of(options, subset)
    split = subset_split(subset, options.validation_share) if division is None else None
    return _Part(split, division)


def list_data(
    place: Path | str,
    columns: TableColumns,
    options: GeneratorOptions | None,
    extensions: list[str] | str | None = None,
) -> Listed:
    """Lists a data set as a flow method would; `options` say how subsets are found, None for none.

    Raises:
        InvalidArgumentError, ArgumentTypeError: `extensions` cannot be read.
    """
    formats = checked_extensions(extensions)
    if isinstance(place, Path) and place.is_file():
        return _table(place, columns, options, formats)
    return _folder(place, _part(options, "validation"), formats)


def _folder(folder: Path | str, part: _Part, formats: Formats) -> Listed:
    source = _directory_source(folder, _Part(), formats)
    mistakes = list(source.mistakes)
    validation: Sequence[str] = ()
    if part:
        subset = _directory_source(folder, part, formats)
        mistakes += [mistake for mistake in subset.mistakes if mistake.kind == "empty-in-subset"]
        validation = [str(name) for name in subset.filenames]
    root, names = source.root, [str(name) for name in source.filenames]
    classes: Mapping[str, int] = source.class_counts
    class_of = {name: name.replace(os.sep, "/").split("/")[0] for name in names}
    if not class_folders(folder):
        only = list_single_class(folder, formats)
        root, names = only.root, only.files
        if not is_url(root):
            root = os.path.join(only.root, only.name)
            names = [name[len(only.name) + 1 :] for name in only.files]
        classes, class_of = {only.name: len(names)}, {}
        if part:
            alone = _directory_source(folder, part, formats, classes=["."]).filenames
            validation = [str(name).removeprefix("./") for name in alone]
    parts = set(parts_among(list(classes)))
    subsets_of: Mapping[str, Sequence[str]]
    if parts:
        subsets_of = {name: (part,) for name, part in class_of.items() if part in parts}
        inside = {name: name.replace(os.sep, "/").split("/") for name in names}
        class_of = {name: path[1] for name, path in inside.items() if len(path) > 2}
    else:
        subsets_of = _subsets(names, validation)
    return Listed(root, names, classes, class_of, subsets_of, mistakes, _others(root, set(names)))


def _subsets(
    training: Sequence[str], validation: Sequence[str], both: Sequence[str] = ()
) -> dict[str, Sequence[str]]:
    """The subsets of each file, of which `both` has several rows of a table."""
    if not validation:
        return {}
    subsets_of: dict[str, Sequence[str]] = dict.fromkeys(training, ("training",))
    subsets_of.update(dict.fromkeys(validation, ("validation",)))
    subsets_of.update(dict.fromkeys(both, ("training", "validation")))
    return subsets_of


def _directory_source(
    folder: Path | str, part: _Part, formats: Formats, classes: Sequence[str] | None = None
) -> DirectorySource:
    return DirectorySource(
        str(folder),
        classes=classes,
        class_mode="categorical",
        split=part.split,
        division=part.division,
        follow_links=False,
        max_samples_per_class=-1,
        dtype="float32",
        formats=formats or WHITE_LIST_FORMATS,
        only_formats=formats is not None,
    )


def _table(
    path: Path, columns: TableColumns, options: GeneratorOptions | None, formats: Formats
) -> Listed:
    frame = read_table(path)
    try:
        source = _frame_source(frame, columns, _Part(), formats)
        mistakes = list(source.mistakes)
        subsets_of: Mapping[str, Sequence[str]] = {}
        if part := _part(options, "validation"):
            known = {mistake.kind for mistake in mistakes}
            subset = _frame_source(frame, columns, part, formats)
            mistakes += [m for m in subset.mistakes if m.kind not in known]
            validation = set(map(str, subset.filenames))
            rest = _frame_source(frame, columns, _part(options, "training"), formats).filenames
            training = set(map(str, rest))
            subsets_of = _subsets(list(training), list(validation), list(training & validation))
    except ImageLoomError as error:
        mistake = Mistake("refused", str(error))
        return Listed(columns.directory or os.getcwd(), mistakes=[mistake], refused=error)
    names = list(dict.fromkeys(map(str, source.filenames)))
    labels = {str(name): source.class_name(i) for i, name in enumerate(source.filenames)}
    class_of = labels if source.class_ids is not None else {}
    return Listed(source.root, names, source.samples_by_class(), class_of, subsets_of, mistakes)


def _frame_source(frame: Any, columns: TableColumns, part: _Part, formats: Formats) -> DataFrameSource:
    return DataFrameSource(
        frame,
        columns.directory,
        x_col=columns.x_col,
        y_col=columns.y_col,
        weight_col=columns.weight_col,
        classes=None,
        class_mode=columns.class_mode,
        split=part.split,
        division=part.division,
        validate_filenames=True,
        dtype="float32",
        formats=formats or WHITE_LIST_FORMATS,
    )


def _others(root: str, listed: set[str]) -> dict[str, int]:
    """Counts the files that are not read, by suffix."""
    found = Counter[str]()
    for path in _all_files(root):
        parts = path.replace(os.sep, "/").split("/")
        if path not in listed and not any(part.startswith(".") for part in parts):
            found[os.path.splitext(parts[-1])[1].lower() or "without suffix"] += 1
    return dict(found.most_common())


def _all_files(root: str) -> Iterator[str]:
    """The paths of all files below a folder, relative to it; not of those in hidden folders."""
    if is_url(root):
        yield from (path for path, _ in find_files(root, follow_links=False))
        return
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = os.path.relpath(place, root)
        yield from names if inside == "." else (os.path.join(inside, name) for name in names)
