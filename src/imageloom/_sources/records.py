"""A data set of encoded images in the rows of a table, or in the shards of a WebDataset."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.coordinates import CoordinateOptions
from imageloom._errors import BadImageError, InvalidArgumentError
from imageloom._pipeline.recipe import BatchSpec, BatchTask
from imageloom._sources.annotated_records import read_annotations
from imageloom._sources.base import LABEL_MODES, files_digest, values_digest
from imageloom._sources.columns import missing_column
from imageloom._sources.files import FileSource
from imageloom._sources.labels import class_numbers_of
from imageloom._sources.mistakes import Mistake
from imageloom._sources.shards import Shards
from imageloom._sources.splitting import Division, group_keys
from imageloom._sources.target_mistakes import changed_labels
from imageloom._sources.words import counted
from imageloom._storage.encoded_tables import EncodedImages, Table
from imageloom._storage.urls import name_below, protocols, split_at_path

__all__ = ["RECORD_CLASS_MODES", "RecordSource", "ShardSource", "TableSource", "record_keys"]

RECORD_CLASS_MODES: Final = (
    "binary", "boxes", "categorical", "image", "input", "keypoints", "multi_output", "raw", "sparse",
)  # fmt: skip
_FINGERPRINT_ROWS: Final = 64


class RecordSource(FileSource):
    """Images with labels that come out of records; the common part of the two below."""

    directory: str = ""
    mistakes: list[Mistake]
    mask_files: Sequence[tuple[str, ...]] = ()

    @property
    def masks(self) -> int:
        """The number of masks of each record."""
        return len(self.mask_files[0]) if self.mask_files and self.class_mode == "image" else 0

    def _take_labels(
        self,
        labels: Mapping[str, Sequence[Any]],
        names: Sequence[str] | None,
        *,
        count: int,
        classes: Sequence[Any] | None,
        split: tuple[float, float] | None,
        weights: Sequence[Any] | None,
        division: Division | None,
        keys: Sequence[str],
        coordinates: CoordinateOptions | None,
        record_names: Sequence[str],
    ) -> NDArray[np.int64]:
        """Sets the targets, and returns which of the `count` records are in the data set."""
        self.class_indices: dict[str, int] = {}
        self.class_ids = None
        self.mistakes = []
        kept, ids = np.arange(count), None
        if self.class_mode in LABEL_MODES:
            ((column, values),) = labels.items()
            found = class_numbers_of(
                values, class_mode=str(self.class_mode), classes=classes, names=names, column=column
            )
            self.class_indices, kept, ids = found
            self.mistakes += changed_labels(self.class_indices, self.class_mode, self.dtype)
            if len(kept) < count:
                gone = counted(count - len(kept), "record")
                text = f"{gone} without one of the `classes` in {column!r} will be ignored."
                self.mistakes.append(Mistake("rows-left-out", text))
        part: slice | NDArray[np.int64] = slice(None)
        if division is not None:
            self.division = division.in_words()
            belonging = None
            if division.by_class:
                belonging = [_several(one) for one in _stratified(ids, self.class_mode)]
            part = division.rows([keys[row] for row in kept.tolist()], belonging)
        elif split is not None:
            part = slice(int(split[0] * len(kept)), int(split[1] * len(kept)))
        kept = kept[part]
        if ids is not None:
            self.class_ids = _picked(ids, part)
        elif self.class_mode in ("raw", "multi_output"):
            columns = [np.array([values[row] for row in kept.tolist()]) for values in labels.values()]
            self.columns = columns if self.class_mode == "multi_output" else _side_by_side(columns)
        elif coordinates is not None:
            found_all = read_annotations(coordinates, labels, record_names, classes, names)
            self.annotations = found_all.taken(kept)
            self.class_indices = found_all.class_indices
        if weights is not None:
            self.sample_weight = np.asarray([weights[row] for row in kept.tolist()])
            if self.sample_weight.dtype.kind not in "biuf":
                raise InvalidArgumentError("The weights must be numbers.")
        return kept

    def all_paths(self) -> list[Any]:
        """The names of the records, which lie in no folder."""
        return list(self.filenames)

    def task(self, spec: BatchSpec) -> BatchTask:
        """Describes the batch."""
        names = self.files_of(spec.indices)
        masks = tuple(self.mask_files[i] for i in spec.indices.tolist()) if self.masks else ()
        files: list[Any] = [*names, *chain.from_iterable(masks)]
        return BatchTask(
            spec=spec,
            filenames=names,
            root=self.root,
            class_ids=self.ids_of(spec.indices),
            masks=masks,
            remote=self.remote(files) if self.protocols else None,
            annotations=self.annotations_of(spec.indices),
            **self._contents(spec.indices),
        )

    def _contents(self, indices: NDArray[np.int64]) -> dict[str, Any]:
        """What a task has to carry of the images and masks."""
        del indices
        return {}

    def shown(self, name: str) -> str:
        """The name of a file in receipts, which is the same wherever the data set lies."""
        return name

    def fingerprint(self) -> dict[str, Any]:
        """The records, the targets and the weights."""
        columns = self.columns if isinstance(self.columns, list) else [self.columns]
        return {
            "samples": len(self),
            "files": self._digest(),
            "targets": values_digest(self.class_ids, self.sample_weight, *columns),
            "class_mode": self.class_mode,
            "class_indices": dict(self.class_indices),
            **({} if self.annotations is None else self.annotations.fingerprint()),
        }

    def _digest(self) -> str:
        masks = self.mask_files if self.masks else ()
        return files_digest(self.root, [*self.names(), *masks], self.stamps, self.shown)


class TableSource(RecordSource):
    """The rows of a table that has a column of encoded images."""

    records: EncodedImages
    stamps: _Contents

    def __init__(
        self,
        table: Table,
        *,
        x_col: str,
        y_col: str | Sequence[str],
        weight_col: str | None,
        classes: Sequence[Any] | None,
        class_mode: str | None,
        split: tuple[float, float] | None,
        dtype: str,
        division: Division | None = None,
        coordinates: CoordinateOptions | None = None,
    ) -> None:
        """Reads the labels, and no image.

        Raises:
            MissingColumnError: The table does not have one of the columns.
            ArgumentTypeError, InvalidArgumentError: The labels do not suit the class mode.
        """
        self.class_mode, self.dtype = class_mode, dtype
        wanted = [y_col] if isinstance(y_col, str) else list(y_col)
        if class_mode in (None, "input"):
            wanted = []
        for argument, columns in (
            ("x_col", [x_col]),
            ("y_col", wanted),
            ("weight_col", [weight_col] if weight_col else []),
        ):
            for column in columns:
                if column not in table.columns:
                    raise missing_column(argument, column, list(table.columns))
        are_masks = class_mode == "image"
        rows_in_words = [f"row {row}" for row in range(len(table))]
        labels = {} if are_masks else {column: table.column(column) for column in wanted}
        names = _class_names(table, wanted) if class_mode in (*LABEL_MODES, "boxes") else None
        rows = self._take_labels(
            labels,
            names,
            count=len(table),
            classes=classes,
            split=split,
            weights=table.column(weight_col) if weight_col else None,
            division=division,
            keys=record_keys(
                division,
                rows_in_words,
                partial(_column, table),
            ),
            coordinates=coordinates,
            record_names=rows_in_words,
        )
        self.records = EncodedImages(table, x_col, rows)
        if are_masks:
            self.mask_records = tuple(EncodedImages(table, column, rows) for column in wanted)
            self.mask_files = [
                tuple(f"row {row} of {column!r}" for column in wanted) for row in rows.tolist()
            ]
        self.filenames = [f"row {row}" for row in rows.tolist()]
        self.root = f"table {self._digest()[:16]}"  # what a cache tells tables apart by
        self.stamps = _Contents(self.records)

    def _contents(self, indices: NDArray[np.int64]) -> dict[str, Any]:
        """The images themselves, if only this process can read the table; or why there is none."""
        if self.records.reopens:
            return {}
        rows = indices.tolist()
        return {
            "contents": tuple(_content(self.records, row) for row in rows),
            "mask_contents": tuple(
                tuple(_content(masks, row) for masks in self.mask_records) for row in rows
            ),
        }

    def content(self, name: str) -> bytes:
        """The encoded image or mask with a name of `names` or `mask_files`.

        Raises:
            BadImageError: There is none.
        """
        row, _, column = name.partition(" of ")
        place = self.stamps.place(row)
        records = self.mask_records[self.mask_files[place].index(name)] if column else self.records
        return records.content(place)

    def _digest(self) -> str:
        count = len(self.records.rows)
        some = np.linspace(0, max(0, count - 1), min(count, _FINGERPRINT_ROWS)).astype(int)
        columns = (self.records, *self.mask_records)
        contents = [_content(column, index) for column in columns for index in some.tolist()]
        return values_digest(self.records.rows, [hashlib.sha256(_bytes(c)).digest() for c in contents])


class _Contents(Mapping[str, str]):
    """The stamp of each row, which a cache in a directory asks for: a digest of its image."""

    def __init__(self, records: EncodedImages) -> None:
        self._records = records
        self._places = {f"row {row}": place for place, row in enumerate(records.rows.tolist())}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def place(self, name: str) -> int:
        """The number of the sample that a row is.

        Raises:
            BadImageError: There is no such row.
        """
        if name not in self._places:
            raise BadImageError(f"The table has no image {name!r}.")
        return self._places[name]

    def __getitem__(self, name: str) -> str:
        place = self._places[name]
        try:
            return hashlib.sha256(self._records.content(place)).hexdigest()[:32]
        except BadImageError:
            return "gone"


class ShardSource(RecordSource):
    """The samples of a WebDataset: tar files, with the files of a sample side by side."""

    def __init__(
        self,
        shards: Shards,
        *,
        y_col: str | Sequence[str],
        classes: Sequence[Any] | None,
        class_mode: str | None,
        split: tuple[float, float] | None,
        dtype: str,
        division: Division | None = None,
        coordinates: CoordinateOptions | None = None,
    ) -> None:
        """Takes what was listed.

        Raises:
            InvalidArgumentError, ArgumentTypeError: The labels do not suit the class mode.
        """
        self.class_mode, self.dtype, self.root = class_mode, dtype, ""
        self._shards_root = shards.root
        wanted = [y_col] if isinstance(y_col, str) else list(y_col)
        without = class_mode in (None, "input", "image")
        labels = {} if without else {name: shards.labels(name) for name in wanted}
        rows = self._take_labels(
            labels,
            None,
            count=len(shards.images),
            classes=classes,
            split=split,
            weights=None,
            division=division,
            keys=record_keys(division, shards.keys, shards.labels),
            coordinates=coordinates,
            record_names=shards.keys,
        )
        self.filenames = [shards.images[row] for row in rows.tolist()]
        if class_mode == "image":
            columns = [shards.masks(name) for name in wanted]
            self.mask_files = [tuple(files[row] for files in columns) for row in rows.tolist()]
        self.protocols = protocols([*self.filenames, *chain.from_iterable(self.mask_files)])

    def shown(self, name: str) -> str:
        """The name of a file with that of its shard, which is relative to the folder of all shards."""
        if not name.startswith("tar://"):
            return name  # it was assigned
        _, member, shard = split_at_path(name)
        return f"{name_below(self._shards_root, shard.removeprefix('::'))}/{member}"


def _content(records: EncodedImages, index: int) -> bytes | str:
    """The encoded image, or why there is none."""
    try:
        return records.content(index)
    except BadImageError as error:
        return str(error)


def _class_names(table: Table, columns: Sequence[str]) -> Sequence[str] | None:
    """The names of the classes, which for boxes are in the last column, or in that of the boxes."""
    return table.class_names(columns[-1] if len(columns) in (2, 5) else columns[0])


def _column(table: Table, name: str) -> Sequence[Any]:
    if name not in table.columns:
        raise missing_column("groups", name, list(table.columns))
    return table.column(name)


def _stratified(ids: Any, class_mode: str | None) -> Any:
    if ids is None:
        raise InvalidArgumentError(
            f'split="stratified" needs classes, which class_mode="{class_mode}" does not have: use '
            'split="random".'
        )
    return ids


def _several(ids: Any) -> list[Any]:
    return list(ids) if isinstance(ids, list) else [int(ids)]


def _picked(ids: Any, part: slice | NDArray[np.int64]) -> Any:
    if isinstance(part, slice) or isinstance(ids, np.ndarray):
        return ids[part]
    return [ids[row] for row in part.tolist()]


def record_keys(
    division: Division | None, names: Sequence[str], column: Callable[[str], Sequence[Any]]
) -> Sequence[str]:
    """What a division knows each record by: its group, or its name.

    Args:
        division: which records the subset has; None for a slice.
        names: the names of all records.
        column: the values of a column, which `groups` may name.

    Raises:
        MissingColumnError: there is no such column.
        InvalidArgumentError: a record has no group, or there are more or fewer groups than records.
    """
    groups = None if division is None else division.groups
    if groups is None:
        return names
    if isinstance(groups, str):
        return group_keys(column(groups))
    if callable(groups):
        return group_keys([groups(name) for name in names])
    if len(groups) != len(names):
        raise InvalidArgumentError(
            f"`groups` must have the group of each record: there are {len(names)} records and "
            f"{len(groups)} groups."
        )
    return group_keys(groups)


def _bytes(content: bytes | str) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def _side_by_side(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)
