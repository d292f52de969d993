"""The data set and the checked arguments of an iterator, from which its recipe is made."""

from __future__ import annotations

import dataclasses
import math
import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from imageloom._api.planning import FrozenGenerator, OutputSettings, make_recipe
from imageloom._checks.depth import channels_of, check_color_mode
from imageloom._checks.values import check_choice, check_dtype, check_flag, in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._options import INTERPOLATIONS, ReadOptions
from imageloom._pipeline.recipe import Recipe
from imageloom._sources.arrays import ArraySource
from imageloom._sources.bare import BareSource
from imageloom._sources.base import SampleSource
from imageloom._sources.dataframe import DataFrameSource
from imageloom._sources.directory import DirectorySource
from imageloom._sources.records import RecordSource
from imageloom._storage.urls import absolute, last_part

__all__ = ["ArrayPlan", "BarePlan", "FilePlan", "FileSettings", "IteratorPlan", "check_batch_shape"]


class IteratorPlan(Protocol):
    """The data set of an iterator, and the arguments that say how it becomes batches."""

    @property
    def source(self) -> SampleSource:
        """The table of samples."""
        ...

    @property
    def settings(self) -> OutputSettings:
        """The checked arguments of the flow method."""
        ...

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one image in a batch."""
        ...

    @property
    def decoded_nbytes(self) -> int | None:
        """The bytes that all decoded images need in a cache; None if no cache can keep them."""
        ...

    def with_settings(self, values: Mapping[str, Any]) -> Self:
        """The plan with other settings.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a value that is not allowed.
        """
        ...

    def recipe(self, frozen: FrozenGenerator, batch_size: int) -> Recipe:
        """The recipe for batches of a generator in this state."""
        ...

    def arguments(self) -> dict[str, Any]:
        """The arguments of the flow method that affect the values of batches."""
        ...

    def origin(self, named: bool) -> str:
        """The end of a phrase that says where the images come from; `named` adds details."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings(OutputSettings):
    """The checked arguments of the flow methods for files; the fields have the arguments' names."""

    target_size: tuple[int, int]
    color_mode: str | int
    batch_shape: tuple[int, ...] | None
    interpolation: str | None
    keep_aspect_ratio: bool
    split: tuple[float, float] | None

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a size, mode or shape that is not allowed.
        """
        check_color_mode(self.color_mode)
        object.__setattr__(self, "target_size", _size(self.target_size))
        if isinstance(self.interpolation, str) and self.interpolation == "none":
            object.__setattr__(self, "interpolation", None)
        check_choice("interpolation", self.interpolation, INTERPOLATIONS, none=True)
        check_flag("keep_aspect_ratio", self.keep_aspect_ratio)
        if self.batch_shape is not None:
            object.__setattr__(self, "batch_shape", _shape(self.batch_shape, self.batch_size))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image after loading."""
        channels = channels_of(self.color_mode)
        if self.data_format == "channels_last":
            return (*self.target_size, channels)
        return (channels, *self.target_size)


@dataclass(frozen=True, slots=True)
class FilePlan:
    """The plan of an iterator over the files of a folder or a data frame."""

    source: DirectorySource | DataFrameSource | RecordSource
    settings: FileSettings

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one image in a batch, which `batch_shape` may change for cropping hooks."""
        settings = self.settings
        return settings.image_shape if settings.batch_shape is None else settings.batch_shape[1:]

    @property
    def decoded_nbytes(self) -> int | None:
        """The bytes that all decoded images need; None if they have several sizes."""
        if self.settings.interpolation is None:
            return None
        return len(self.source) * self.source.images * math.prod(self.settings.image_shape)

    def with_settings(self, values: Mapping[str, Any]) -> FilePlan:
        """The plan with other settings. As in Keras, batches keep their shape unless it is assigned."""
        changes = dict(values)
        shape = changes.pop("image_shape", self.row_shape)
        if "dtype" in changes:
            check_dtype(changes["dtype"])
            self.source.dtype = changes["dtype"]
        batch_shape = (self.settings.batch_size, *shape)
        settings = dataclasses.replace(self.settings, **changes, batch_shape=batch_shape)
        return dataclasses.replace(self, settings=settings)

    def recipe(self, frozen: FrozenGenerator, batch_size: int) -> Recipe:
        """The recipe for batches of a generator in this state."""
        settings = self.settings
        return make_recipe(
            frozen,
            self.source,
            settings,
            batch_size=batch_size,
            row_shape=self.row_shape,
            read=ReadOptions(
                color_mode=settings.color_mode,
                target_size=settings.target_size,
                interpolation=settings.interpolation,
                keep_aspect_ratio=settings.keep_aspect_ratio,
                scaled=frozen.options.decode == "scaled",
                exact_resize=frozen.options.transform.needs_exact_pixels,
                differing_share=frozen.options.transform.differing_share,
                exif_orientation=bool(frozen.options.exif_orientation),
                native=frozen.options.depth == "native",
            ),
            hook_params={
                "directory": self.source.directory,
                "target_size": settings.target_size,
                "color_mode": settings.color_mode,
                "interpolation": settings.interpolation,
                "class_mode": self.source.class_mode,
                "split": settings.split,
            },
            takes_batch_shape=isinstance(self.source, DirectorySource),
        )

    def arguments(self) -> dict[str, Any]:
        """The arguments of the flow method that affect the values of batches."""
        arguments = dataclasses.asdict(self.settings)
        for name in ("batch_size", "batch_shape", "save_to_dir", "save_prefix", "save_format", "split"):
            del arguments[name]
        return {**arguments, "row_shape": self.row_shape}

    def origin(self, named: bool) -> str:
        """The folder: its whole path if `named`, otherwise its last part."""
        directory = self.source.directory
        if not directory:
            return ""
        if named:
            return f" in {directory!r}"
        name = os.path.basename(last_part(absolute(directory)))
        return f" in {name}" if name else ""


@dataclass(frozen=True, slots=True)
class ArrayPlan:
    """The plan of an iterator over the rows of an array."""

    source: ArraySource
    settings: OutputSettings

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one image in a batch."""
        shape: tuple[int, ...] = self.source.rows.shape[1:]
        return shape

    @property
    def decoded_nbytes(self) -> int | None:
        """None, because there is nothing to decode."""
        return None

    def with_settings(self, values: Mapping[str, Any]) -> ArrayPlan:
        """The plan with other settings."""
        if "dtype" in values:
            check_dtype(values["dtype"])
        return dataclasses.replace(self, settings=dataclasses.replace(self.settings, **values))

    def recipe(self, frozen: FrozenGenerator, batch_size: int) -> Recipe:
        """The recipe for batches of a generator in this state.

        Raises:
            InvalidArgumentError: the generator has a `get_batch_function`, which needs files.
        """
        if frozen.options.get_batch_function is not None:
            raise InvalidArgumentError(
                "`get_batch_function` makes batches of files, but `flow` reads arrays: leave it out of "
                "this generator, or use `preprocessing_function`."
            )
        return make_recipe(
            frozen,
            self.source,
            self.settings,
            batch_size=batch_size,
            row_shape=self.row_shape,
            read=None,
            hook_params={},
        )

    def arguments(self) -> dict[str, Any]:
        """The arguments of the flow method that affect the values of batches."""
        return {"subset": self.settings.subset}

    def origin(self, named: bool) -> str:
        """The dtype of the array if `named`, otherwise nothing."""
        return f" out of an array of {np.dtype(self.source.rows.dtype)}" if named else ""


@dataclass(frozen=True, slots=True)
class BarePlan:
    """The plan of an iterator whose batches the user's class makes out of numbers."""

    source: BareSource
    settings: OutputSettings

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Nobody knows the shape of an image."""
        return ()

    @property
    def decoded_nbytes(self) -> int | None:
        """None, because nothing is decoded."""
        return None

    def with_settings(self, values: Mapping[str, Any]) -> BarePlan:
        """The plan with other settings."""
        return dataclasses.replace(self, settings=dataclasses.replace(self.settings, **values))

    def recipe(self, frozen: FrozenGenerator, batch_size: int) -> Recipe:
        """A recipe without images."""
        return make_recipe(
            frozen,
            self.source,
            self.settings,
            batch_size=batch_size,
            row_shape=(),
            read=None,
            hook_params={},
        )

    def arguments(self) -> dict[str, Any]:
        """None are known."""
        return {}

    def origin(self, named: bool) -> str:
        """Nobody knows."""
        del named
        return ""


def _size(size: Any) -> tuple[int, int]:
    try:
        height, width = (operator.index(side) for side in size)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"`target_size` must be (height, width) in pixels; received {in_words(size)}."
            f"{_size_advice(size)}"
        ) from None
    if height < 1 or width < 1:
        raise InvalidArgumentError(f"`target_size` must be at least (1, 1); received {size!r}.")
    return height, width


def _size_advice(size: Any) -> str:
    """What to pass for one side of a square, or for a size with channels; "" for anything else."""
    sides = [size, size] if isinstance(size, int) and not isinstance(size, bool) else size
    if not isinstance(sides, (tuple, list)) or not all(
        isinstance(side, (int, float)) for side in sides
    ):
        return ""
    if len(sides) == 3 and sides[2] in (1, 3, 4):
        return f" Leave out the channels, which `color_mode` says: pass {tuple(sides[:2])}."
    if len(sides) != 2:
        return ""
    return f" Pass ({int(sides[0])}, {int(sides[1])})."


def _shape(shape: Sequence[int], batch_size: int) -> tuple[int, ...]:
    check_batch_shape(shape)
    return (batch_size, *(int(side) for side in shape[1:]))


def check_batch_shape(shape: Sequence[Any]) -> None:
    """Raises unless there are a batch size and the three sides of an image.

    Raises:
        InvalidArgumentError: there are more or fewer numbers, or one below 1.
    """
    if len(shape) != 4:
        raise InvalidArgumentError(
            "`batch_shape` must have four numbers, the batch size and the shape of an image; "
            f"received {shape!r}."
        )
    if any(int(side) < 1 for side in shape[1:]) or shape[0] == 0:
        raise InvalidArgumentError(
            "Numbers in `batch_shape` must be >= 1, or for the batch size -1 (all samples) or None; "
            f"received {tuple(shape)}."
        )
