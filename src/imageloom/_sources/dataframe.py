"""A data set of the image files that a pandas data frame names.

This module does not import pandas, because it only calls methods of the frame.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.coordinates import CoordinateOptions
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._pipeline.recipe import BatchSpec, BatchTask
from imageloom._sources.annotated_frames import ROW, annotated
from imageloom._sources.base import (
    LABEL_MODES,
    files_digest,
    values_digest,
)
from imageloom._sources.columns import missing_column
from imageloom._sources.divided import divided_frame, with_groups
from imageloom._sources.files import FileSource
from imageloom._sources.frame_mistakes import (
    check_one_column,
    check_strings,
    labels_outside_classes,
    masks_as_classes,
    several_labels,
    subset_mistakes,
    target_mistakes,
)
from imageloom._sources.listing import WHITE_LIST_FORMATS
from imageloom._sources.mistakes import Mistake
from imageloom._sources.splitting import Division
from imageloom._sources.target_mistakes import changed_labels
from imageloom._sources.unfound_files import names_without_files, not_found
from imageloom._storage.refusals import is_file
from imageloom._storage.stamps import stamps_of
from imageloom._storage.urls import absolute, is_url, join, last_part, protocols, split
from imageloom._warnings import Code, warn_user

__all__ = ["DATAFRAME_CLASS_MODES", "DataFrameSource"]

DATAFRAME_CLASS_MODES: Final = (
    "binary",
    "boxes",
    "categorical",
    "image",
    "input",
    "keypoints",
    "multi_output",
    "raw",
    "sparse",
)


class DataFrameSource(FileSource):
    """The images that the rows of a data frame name.

    Attributes:
        directory: the folder that the file names are relative to; "" for the working directory.
        filenames: the column of file names.
        class_ids: the class number of each row, or a list of them; None without classes.
        class_indices: the number of each class by its name; empty without classes.
        sample_weight: the column of weights, or None.
        mask_files: with class_mode `"image"`, the files of each row's masks; else empty.
        columns: the targets of class_mode `"raw"` (an array) or `"multi_output"` (a list of arrays);
            None with other class modes.
        annotations: the boxes or points of each row, with class_mode `"boxes"` or `"keypoints"`.
    """

    def __init__(
        self,
        dataframe: Any,
        directory: str | None,
        *,
        x_col: str,
        y_col: Any,
        weight_col: str | None,
        classes: Sequence[str] | None,
        class_mode: str | None,
        split: tuple[float, float] | None,
        validate_filenames: bool,
        dtype: str,
        formats: Sequence[str] = WHITE_LIST_FORMATS,
        division: Division | None = None,
        coordinates: CoordinateOptions | None = None,
    ) -> None:
        """Checks the frame, drops rows without an image or a class, and takes the subset.

        `formats` are the suffixes of the files that are images, and `coordinates` is how boxes or
        points are given.

        Raises:
            MissingColumnError: The frame does not have one of the columns.
            InvalidArgumentError: The number of classes does not fit the class mode.
            InvalidArgumentError: It names URLs, and `directory` is none.
            ArgumentTypeError: `dataframe` is no data frame, or a column has values of a wrong type.
        """
        frame = _checked_frame(dataframe, x_col, y_col, weight_col, classes, class_mode)
        if division is not None:
            division, frame = with_groups(division, frame)
        if coordinates is not None:
            frame, self.annotations = annotated(frame, x_col, y_col, weight_col, classes, coordinates)
        self.mistakes: list[Mistake] = []
        self.directory: str = directory or ""
        self.class_mode = class_mode
        self.dtype = dtype
        self.root: str = absolute(self.directory) if self.directory else _working_directory()
        mask_columns = _mask_columns(y_col) if class_mode == "image" else []
        self._mask_columns = len(mask_columns)
        self.stamps: dict[str, str] = {}
        self._formats, self._x_col = tuple(formats), x_col
        for column in (x_col, *mask_columns):
            _check_urls(self.directory, column, frame[column].tolist())
        if validate_filenames:
            for argument, column in (("x_col", x_col), *(("y_col", name) for name in mask_columns)):
                frame = frame[self._names_images(frame[column].tolist(), argument, column)]
        else:
            self.mistakes += names_without_files(
                frame[x_col].tolist(),
                directory=self.directory,
                root=self.root,
                formats=self._formats,
                column=x_col,
            )
        self.class_indices: dict[str, int] = {}
        if class_mode in LABEL_MODES:
            self.mistakes += masks_as_classes(frame[y_col].tolist(), y_col, self._formats)
            frame, names = self._with_classes(frame, y_col, classes)
            self.class_indices = {name: i for i, name in enumerate(names)}
        self._look_at_targets(frame, y_col, weight_col, split)
        if division is not None:
            self.division = division.in_words()
            rows, lost = divided_frame(division, frame, self.root, x_col, y_col, class_mode)
            frame, self.mistakes = frame.iloc[rows, :], [*self.mistakes, *lost]
        elif split is not None:
            frame = frame.iloc[int(split[0] * len(frame)) : int(split[1] * len(frame)), :]
        self.class_ids = None
        self._take_targets(frame, y_col)
        self.filenames = frame[x_col].tolist()
        self.sample_weight = frame[weight_col].to_numpy() if weight_col else None
        files = [frame[column].tolist() for column in mask_columns]
        self.mask_files: list[tuple[str, ...]] = list(zip(*files, strict=True))
        self.protocols = protocols(
            [self.root, *self.filenames, *(f for column in files for f in column)]
        )

    def _take_targets(self, frame: Any, y_col: Any) -> None:
        """Takes classes, values, boxes or points of the rows that are left."""
        if self.class_mode in LABEL_MODES:
            self.class_ids = [_class_numbers(label, self.class_indices) for label in frame[y_col]]
        elif self.class_mode == "multi_output":
            self.columns = [np.array(frame[column].tolist()) for column in y_col]
        elif self.class_mode == "raw":
            self.columns = _values(frame[y_col])
        elif self.annotations is not None:
            self.annotations = self.annotations.taken(frame[ROW].to_numpy())
            self.class_indices = self.annotations.class_indices

    @property
    def masks(self) -> int:
        """The number of masks of each row."""
        return self._mask_columns if self.class_mode == "image" else 0

    def task(self, spec: BatchSpec) -> BatchTask:
        """Describes the batch, with an absolute folder, because workers may work in another one."""
        filenames = self.files_of(spec.indices)
        masks = tuple(self.mask_files[i] for i in spec.indices) if self.masks else ()
        return BatchTask(
            spec=spec,
            filenames=filenames,
            root=self.root,
            class_ids=self.ids_of(spec.indices),
            masks=masks,
            remote=self.remote([*chain(filenames, *masks)]) if self.protocols else None,
            annotations=self.annotations_of(spec.indices),
        )

    def fingerprint(self) -> dict[str, Any]:
        """The files with their sizes, the targets and the weights."""
        columns = self.columns if isinstance(self.columns, list) else [self.columns]
        stamps = self.stamps if self.protocols else None
        return {
            "samples": len(self),
            "files": files_digest(self.root, self.names(), stamps),
            "masks": files_digest(self.root, self.mask_files, stamps),
            "targets": values_digest(self.class_ids, self.sample_weight, *columns),
            "class_mode": self.class_mode,
            "class_indices": dict(self.class_indices),
            **({} if self.annotations is None else self.annotations.fingerprint()),
        }

    def _with_classes(
        self, frame: Any, y_col: Any, classes: Sequence[str] | None
    ) -> tuple[Any, list[str]]:
        """The rows that have one of the classes, without other labels, and the names of the classes."""
        if not classes:
            found: set[str] = set()
            for label in frame[y_col]:
                found.update([label] if isinstance(label, str) else label)
            return frame, sorted(found)
        names = list(dict.fromkeys(classes))
        known = set(names)
        labels = [_known_labels(label, known) for label in frame[y_col]]
        there = np.array([bool(label) for label in labels], dtype=bool)
        self.mistakes += labels_outside_classes(frame, y_col, names, there.tolist())
        kept = frame[there].copy()
        kept[y_col] = np.fromiter((label for label in labels if label), dtype=object, count=there.sum())
        return kept, names

    def _look_at_targets(
        self, frame: Any, y_col: Any, weight_col: str | None, split: tuple[float, float] | None
    ) -> None:
        """Notes what cannot be meant in the targets and weights of both subsets."""
        columns = y_col if isinstance(y_col, list) else [y_col]
        if self.class_mode in LABEL_MODES:
            self.mistakes += several_labels(
                frame[self._x_col].tolist(), frame[y_col].tolist(), frame.index
            )
            self.mistakes += subset_mistakes(frame, columns, split, classes=True)
            self.mistakes += changed_labels(self.class_indices, self.class_mode, self.dtype)
        elif self.class_mode in ("raw", "multi_output"):
            self.mistakes += target_mistakes(frame, columns, "y_col")
            self.mistakes += subset_mistakes(frame, columns, split, classes=False)
        else:
            self.mistakes += subset_mistakes(frame, [], split, classes=False)
        if weight_col:
            self.mistakes += target_mistakes(frame, [weight_col], "weight_col")

    def _names_images(self, names: list[str], argument: str, column: str) -> NDArray[np.bool_]:
        """Which rows name an existing file with the suffix of an image; notes the other rows."""
        root = self.root
        images = [name for name in names if last_part(name).lower().endswith(self._formats)]
        if is_url(root) or any(map(is_url, images)):
            self.stamps.update(stamps_of(root, images, self.stamps))
            there = {name for name in images if name in self.stamps or _is_file(join(root, name))}
        else:
            there = {name for name in images if is_file(os.path.join(root, name))}
        valid = np.array([name in there for name in names], dtype=bool)
        if not valid.all():
            bad = [name for name, good in zip(names, valid.tolist(), strict=True) if not good]
            self.mistakes.append(
                not_found(
                    bad,
                    directory=self.directory,
                    root=root,
                    formats=self._formats,
                    argument=argument,
                    column=column,
                )
            )
        return valid


def _working_directory() -> str:
    """Where relative names begin; the empty string if it was deleted, which absolute ones survive."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _is_file(path: str) -> bool:
    return not is_url(path) and is_file(path)


def _check_urls(directory: str, column: str, names: list[str]) -> None:
    """Refuses URLs where the program does not expect any: the table may come from somebody else.

    Raises:
        InvalidArgumentError: There are some.
    """
    if not is_url(directory) and (urls := [name for name in names if is_url(name)]):
        raise InvalidArgumentError(
            f"The column {column!r} names {len(urls)} file(s) by URL, the first one {urls[0]!r}. URLs "
            "in a data frame are followed only if `directory` is a URL as well; pass the folder in "
            f"which the files lie, for example directory={split(urls[0])[0]!r}."
        )


def _checked_frame(
    dataframe: Any,
    x_col: str,
    y_col: Any,
    weight_col: str | None,
    classes: Sequence[str] | None,
    class_mode: str | None,
) -> Any:
    """Returns the frame, which is never changed, after all checks that Keras makes."""
    if not hasattr(dataframe, "iloc"):
        raise ArgumentTypeError(
            f"`dataframe` must be a pandas DataFrame; received {type(dataframe).__name__}."
        )
    if class_mode == "multi_output" and not isinstance(y_col, list):
        raise ArgumentTypeError(
            f'If class_mode="multi_output", y_col must be a list. Received {type(y_col).__name__}.'
        )
    _check_columns(dataframe, x_col, y_col, weight_col, class_mode)
    check_strings(dataframe, x_col, f"All values in column x_col={x_col} must be strings.")
    if class_mode == "image" and not _mask_columns(y_col):
        raise InvalidArgumentError(
            'If class_mode="image", y_col must name at least one column; received an empty list.'
        )
    for column in _mask_columns(y_col) if class_mode == "image" else ():
        rule = f"all values in column y_col={column} must be strings that name image files."
        check_strings(dataframe, column, f'If class_mode="image", {rule}')
    if class_mode in LABEL_MODES:
        if isinstance(y_col, list):
            raise ArgumentTypeError(
                f'If class_mode="{class_mode}", y_col must name a single column; received {y_col!r}.'
            )
        _check_labels(dataframe, y_col, classes, class_mode)
    elif classes and class_mode != "boxes":
        warn_user(
            f'`classes` will be ignored given the class_mode="{class_mode}"', code=Code.CLASSES_IGNORED
        )
    if weight_col and not np.issubdtype(dataframe[weight_col].to_numpy().dtype, np.number):
        raise ArgumentTypeError(f"Column weight_col={weight_col} must be numeric.")
    return dataframe


def _mask_columns(y_col: Any) -> list[str]:
    return [y_col] if isinstance(y_col, str) else list(y_col)


def _check_columns(
    frame: Any, x_col: str, y_col: Any, weight_col: str | None, class_mode: str | None
) -> None:
    wanted = {"x_col": [x_col], "weight_col": [weight_col] if weight_col else []}
    if class_mode not in (None, "input"):
        wanted["y_col"] = y_col if isinstance(y_col, list) else [y_col]
    for argument, columns in wanted.items():
        for column in columns:
            if column not in frame.columns:
                raise missing_column(argument, column, list(frame.columns))
            check_one_column(frame, column, argument)


def _check_labels(
    frame: Any, y_col: Any, classes: Sequence[str] | None, class_mode: str | None
) -> None:
    rule = f'If class_mode="{class_mode}", y_col="{y_col}" column values must be'
    if class_mode == "categorical":
        check_strings(frame, y_col, f"{rule} type string, list or tuple.", lists=True)
        return
    check_strings(frame, y_col, f"{rule} strings.")
    if class_mode == "binary":
        count, found = (len(set(classes)), "given") if classes else (frame[y_col].nunique(), "found")
        if count != 2:
            raise InvalidArgumentError(
                f'If class_mode="binary" there must be 2 classes. {count} class/es were {found}.'
            )


def _values(column: Any) -> NDArray[Any]:
    """The values of a column as an array; times with a zone are converted to UTC, as in Keras."""
    if getattr(getattr(column, "dtype", None), "tz", None) is not None:
        column = column.dt.tz_convert(None)
    return np.asarray(column.to_numpy())


def _known_labels(label: Any, known: set[str]) -> Any:
    if isinstance(label, str):
        return label if label in known else None
    return [name for name in label if name in known]


def _class_numbers(label: Any, numbers: dict[str, int]) -> int | list[int]:
    return numbers[label] if isinstance(label, str) else [numbers[name] for name in label]
