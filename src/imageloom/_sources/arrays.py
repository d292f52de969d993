"""A data set of arrays: images, targets and further inputs."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import check_subset, in_words, is_floating
from imageloom._errors import ArgumentTypeError, BatchIndexError, InvalidArgumentError
from imageloom._pipeline.recipe import BatchSpec, BatchTask
from imageloom._pipeline.rows import ImageRows, check_mapped
from imageloom._pipeline.shortage import memory_told
from imageloom._pipeline.stored_rows import StoredRows
from imageloom._sources.base import SampleSource, subset_split, values_digest
from imageloom._sources.divided import divided_array
from imageloom._sources.mistakes import Mistake
from imageloom._sources.splitting import Division
from imageloom._sources.target_mistakes import missing_values, row_name, sorted_rows
from imageloom._sources.words import counted
from imageloom._storage.stored_arrays import StoredArray, is_stored
from imageloom._warnings import Code, warn_user

__all__ = ["ArraySource", "as_array", "images_of", "rank_advice"]

_FINGERPRINT_ROWS: Final = 64  # an array may be too large to read all of it
_FEW_CLASSES: Final = 20
_FEW_INDICES: Final = 64  # of which Python finds the lowest in less time than a call of NumPy takes
_MOST_SENT: Final = 256 * 2**20  # bytes


class ArraySource(SampleSource):
    """The rows of an array of images, which is neither copied nor converted.

    Attributes:
        x_misc: the further inputs, arrays with n rows each.
        y: the targets, an array with n rows, or None.
        sample_weight: n weights, or None.
        part: which rows of the given arrays these are.
    """

    rows: ImageRows | StoredRows

    def __init__(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        *,
        subset: str | None,
        split: float,
        ignore_class_split: bool,
        data_format: str,
        division: Division | None = None,
    ) -> None:
        """Checks that all arrays have the same length, and takes the rows of the subset.

        A subset is a slice with the share `split`, or else what `division` says.

        Raises:
            InvalidArgumentError: The lengths differ, the images do not have rank 4, or the subset has
                other classes than the rest.
            ArgumentTypeError: The images are no numbers.
        """
        x, misc = _split_inputs(x)
        if is_stored(x):
            x = x if isinstance(x, StoredArray) else StoredArray(x)
        for further in misc:
            if len(x) != len(further):
                raise InvalidArgumentError(
                    "All of the arrays in `x` should have the same length. Found a pair with: "
                    f"len(x[0]) = {len(x)}, len(x[?]) = {len(further)}"
                )
        _check_length(x, "y", "labels", y)
        _check_length(x, "sample_weight", "sample_weight", sample_weight)
        check_mapped(*(given for given in (y, sample_weight, *misc) if isinstance(given, np.ndarray)))
        targets = None if y is None else as_array("y", y)
        weights = None if sample_weight is None else as_array("sample_weight", sample_weight)
        with memory_told():
            missing = (missing_values("`y`", targets), missing_values("`sample_weight`", weights))
            part, differ = _subset_rows(
                len(x), targets, subset, split, division, ignore_class_split=ignore_class_split
            )
        self.part = part
        self.mistakes = [*(mistake for mistake in missing if mistake is not None), *differ]
        images = images_of(x, data_format)
        picks = None if isinstance(part, slice) or isinstance(images, StoredArray) else part
        self._x: Any = images[part] if picks is None else images
        self.rows = _rows_of(self._x, picks)
        if division is not None:
            self.division = f"{division.in_words()}, rows {values_digest(part)}"
        self.x_misc: list[NDArray[Any]] = [np.asarray(further)[part] for further in misc]
        self.y: NDArray[Any] | None = None if y is None else np.asarray(y[part] if subset else y)
        self.sample_weight: NDArray[Any] | None = None if weights is None else weights[part]
        self.class_indices: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        """For a batch method in another process, which may ask for any image.

        Raises:
            ArgumentTypeError: the array is too large for that.
        """
        if self.rows.reopens:
            return {**vars(self), "_x": None}
        nbytes = math.prod(self.rows.shape) * np.dtype(self.rows.dtype).itemsize
        if nbytes > _MOST_SENT:
            raise ArgumentTypeError(
                f"the images, {nbytes / 2**20:.0f} MiB, are too large to be copied to each "
                "worker; a `numpy.memmap` is not copied"
            )
        return {**vars(self), "_x": self.x}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restores the images, which a memmap's file has."""
        vars(self).update(state)
        if self._x is not None:
            self.rows = _rows_of(self._x)

    @property
    def x(self) -> Any:
        """The images, as they were given; a copy of those of a subset that is no slice.

        It is a `StoredArray` if they lie in a file or a store.
        """
        return self.rows.array if self._x is None or self.rows.picks is not None else self._x

    def __len__(self) -> int:
        """Number of images."""
        return int(self.rows.shape[0])

    def task(self, spec: BatchSpec) -> BatchTask:
        """Describes the batch, whose images are rows of `rows`.

        Raises:
            BatchIndexError: an assigned order or number of samples goes beyond the array.
        """
        indices, count = spec.indices, len(self)
        low, high = _bounds(indices)
        if not -count <= low <= high + 1 <= count:
            raise BatchIndexError(
                f"The batch needs the images {low} to {high}, but `x` has {count}: "
                "assign `x`, `n` or `index_array` so that they fit."
            )
        if low < 0:  # counts from the end
            spec = dataclasses.replace(spec, indices=indices % count)
        return BatchTask(spec=spec)

    def fingerprint(self) -> dict[str, Any]:
        """Shapes, dtypes, all targets and weights, and the pixels of some rows."""
        some = np.linspace(0, max(0, len(self) - 1), min(len(self), _FINGERPRINT_ROWS)).astype(int)
        check_mapped(self.y, self.sample_weight, *self.x_misc)
        return {
            "samples": len(self),
            "images": [list(self.rows.shape), self.rows.dtype],
            "pixels": values_digest(self.rows.some(some)),
            "targets": values_digest(self.y, self.sample_weight, *self.x_misc),
        }

    def replace_images(self, x: Any) -> None:
        """Takes other images; everything else stays."""
        self._x, self.rows = x, _rows_of(x)

    def inputs(self, indices: NDArray[np.int64]) -> Sequence[NDArray[Any]]:
        """The rows of the further inputs."""
        check_mapped(*self.x_misc)
        return [further[indices] for further in self.x_misc]

    def class_numbers(self, purpose: str) -> NDArray[np.int64]:
        """The class of each sample, from targets that are whole numbers or one-hot rows."""
        y = self.y
        if y is not None and y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y is not None and y.dtype.kind in "biuf" and len(y):
            if y.ndim == 1 and np.all(y == np.floor(y)) and np.all(y >= 0):
                return np.asarray(y, np.int64)
            if y.ndim == 2 and np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1):
                return np.asarray(y.argmax(axis=1), np.int64)
        return super().class_numbers(purpose)

    def samples_by_class(self) -> dict[str, int]:
        """The number of samples of each class; empty if the targets do not seem to be classes."""
        try:
            numbers, counts = np.unique(self.class_numbers("counts"), return_counts=True)
        except InvalidArgumentError:
            return {}
        if len(numbers) > max(_FEW_CLASSES, len(self) // 2):
            return {}  # too many for classes: these are quantities that happen to be whole
        return {f"class {n}": int(c) for n, c in zip(numbers, counts, strict=True)}

    def class_name(self, index: int) -> str:
        """The class of a sample, or its target if that is a single number; "" for other targets."""
        if self.y is None:
            return ""
        row = self.y[index : index + 1].reshape(-1)
        if row.dtype.kind not in "biuf" or row.size == 0:
            return ""
        if row.size == 1:
            return f"class {row[0]}" if row.dtype.kind in "biu" else f"target {row[0]:g}"
        hot = np.all((row == 0) | (row == 1)) and row.sum() == 1
        return f"class {row.argmax()}" if hot else ""

    def targets(self, indices: NDArray[np.int64]) -> NDArray[Any] | None:
        """The rows of `y`."""
        check_mapped(self.y)
        return None if self.y is None else self.y[indices]

    def weights(self, indices: NDArray[np.int64]) -> NDArray[Any] | None:
        """The weights of some samples, or None."""
        check_mapped(self.sample_weight)
        return None if self.sample_weight is None else self.sample_weight[indices]


def _split_inputs(x: Any) -> tuple[Any, list[NDArray[Any]]]:
    """Splits `x` into images and further inputs; a list of two is (images, further), as in Keras."""
    if not isinstance(x, (tuple, list)):
        return x if hasattr(x, "__len__") or is_stored(x) else np.asarray(x), []
    if len(x) != 2:
        raise InvalidArgumentError(
            "`x` must be an array of images, or a tuple or list (images, further inputs); received "
            f"{len(x)} items. For a list of images, pass flow(np.stack(images), ...)."
        )
    further = x[1] if isinstance(x[1], list) else [x[1]]
    arrays = [np.asarray(array) for array in further]
    if any(array.ndim == 0 for array in arrays):
        raise ArgumentTypeError(
            "The further inputs in `x` must be arrays with a row for each image; received single "
            f"values: {x[1]!r:.80}. Pass a single array as (images, np.array([...]))."
        )
    return x[0], arrays


def _check_length(x: Any, name: str, what: str, values: Any) -> None:
    if values is None:
        return
    if not hasattr(values, "__len__"):
        raise ArgumentTypeError(f"`{name}` must be an array or None; received {in_words(values)}.")
    if len(x) != len(values):
        raise InvalidArgumentError(
            f"`x` (images tensor) and `{name}` ({what}) should have the same length. "
            f"Found: x.shape = {np.shape(x)}, {name}.shape = {np.shape(values)}"
        )


def _subset_rows(
    length: int,
    y: NDArray[Any] | None,
    subset: str | None,
    split: float,
    division: Division | None,
    *,
    ignore_class_split: bool,
) -> tuple[slice | NDArray[np.int64], list[Mistake]]:
    """The rows of a subset, and what cannot be meant in it."""
    check_subset(subset)
    if subset_split(subset, split) is None:
        return slice(None), []
    if division is not None:
        rows, mistakes = divided_array(division, length, y)
        if y is not None and division.way == "sorted" and not ignore_class_split:
            rest = np.delete(np.arange(length), rows)
            first, last = (rows, rest) if subset == "validation" else (rest, rows)
            _check_same_classes(y, first, last, 'Pass split="stratified"')
        return rows, mistakes
    border = int(length * split)
    mistake: Mistake | None = None
    if border == 0 and subset == "validation" and length:
        mistake = Mistake(
            "empty-in-subset",
            f"The validation subset has no images, because validation_split={split:g} takes none of "
            f"{counted(length, 'image')}: take a larger share.",
        )
    if y is not None and split and not ignore_class_split:
        shuffle = "If your numpy arrays are sorted by the label, you might want to shuffle them"
        _check_same_classes(y, slice(border), slice(border, None), shuffle)
    if y is not None and split and mistake is None and (y.ndim == 2 or ignore_class_split):
        mistake = sorted_rows(y, border, "`y`", classes=not ignore_class_split)
    part = slice(None, border) if subset == "validation" else slice(border, None)
    return part, [] if mistake is None else [mistake]


def _check_same_classes(y: NDArray[Any], validation: Any, training: Any, remedy: str) -> None:
    """Refuses subsets with different values, as Keras does.

    Raises:
        InvalidArgumentError: they have.
    """
    first, rest = np.unique(y[validation]), np.unique(y[training])
    if np.array_equal(first, rest):
        return
    begin = "Training and validation subsets have different number of classes after the split: "
    missing = missing_values("`y`", y)
    if missing is not None:
        raise InvalidArgumentError(f"{begin}{missing.text}")
    count = len(np.union1d(first, rest))
    parts = []
    for subset, lacking in (
        ("validation", np.setdiff1d(rest, first)),
        ("training", np.setdiff1d(first, rest)),
    ):
        if len(lacking):
            example = row_name(lacking[0])
            parts.append(f"the {subset} subset lacks {len(lacking):,}, for example {example}")
    raise InvalidArgumentError(
        f"{begin}of the {count:,} values in `y`, {' and '.join(parts)}. {remedy}; pass "
        "ignore_class_split=True to skip this check, for example for targets that are no classes."
    )


def as_array(name: str, values: Any) -> NDArray[Any]:
    """Returns the values of an argument as an array.

    Raises:
        InvalidArgumentError: they are arrays, or lists, of different shapes.
    """
    try:
        return np.asarray(values)
    except ValueError as error:
        shapes = sorted({str(getattr(item, "shape", "")) for item in values})[:2]
        such = "" if "" in shapes else f", such as {' and '.join(shapes)}"
        raise InvalidArgumentError(
            f"`{name}` must be one array; received {len(values)} items of different shapes{such}. "
            "Bring them to one shape first, and pass np.stack(...) of them."
        ) from error


def rank_advice(shape: tuple[int, ...], data_format: str) -> str:
    """How an array of rank 3 becomes one of images; "" for another rank."""
    if len(shape) != 3:
        return ""
    last = data_format == "channels_last"
    if shape[-1 if last else 0] in (1, 3, 4):
        return " For a single image, pass x[np.newaxis]."
    return f" For grey images, pass x[{'..., np.newaxis' if last else ':, np.newaxis'}]."


def _bounds(indices: NDArray[np.int64]) -> tuple[int, int]:
    """The lowest and the highest number; (0, -1) if there are none."""
    if len(indices) > _FEW_INDICES:
        return int(indices.min()), int(indices.max())
    numbers = indices.tolist()
    return (min(numbers), max(numbers)) if numbers else (0, -1)


def _rows_of(x: Any, picks: NDArray[np.int64] | None = None) -> ImageRows | StoredRows:
    return StoredRows(x) if isinstance(x, StoredArray) else ImageRows(x, picks)


def images_of(x: Any, data_format: str) -> Any:
    """The images as an array, which is neither copied nor read if it lies in a file."""
    if is_stored(x):
        images: Any = x if isinstance(x, StoredArray) else StoredArray(x)
    else:
        images = x if isinstance(x, np.ndarray) else as_array("x", x)
    kind: str = images.dtype.kind
    if isinstance(images, np.ndarray) and kind == "V" and is_floating(images.dtype):
        images = images.astype(np.float32)  # no library that transforms images knows bfloat16
    if images.dtype == object and images.ndim == 4:
        with contextlib.suppress(TypeError, ValueError):  # what is no number, the error below says
            images = images.astype(np.float64)
    if images.dtype.kind not in "biuf":
        raise ArgumentTypeError(
            f"`x` must be an array of numbers; received one of dtype {images.dtype} and shape "
            f"{images.shape}."
        )
    if images.ndim != 4:
        raise InvalidArgumentError(
            "Input data in `NumpyArrayIterator` should have rank 4. You passed an array `x` with shape "
            f"{images.shape}.{rank_advice(images.shape, data_format)}"
        )
    axis = 3 if data_format == "channels_last" else 1
    if images.shape[axis] not in (1, 3, 4):
        warn_user(
            f'NumpyArrayIterator is set to use the data format convention "{data_format}" (channels on '
            f"axis {axis}), i.e. expected either 1, 3, or 4 channels on axis {axis}. However, it was "
            f"passed an array with shape {images.shape} ({images.shape[axis]} channels).",
            code=Code.CHANNELS,
        )
    return images
