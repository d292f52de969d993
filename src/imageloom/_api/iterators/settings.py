"""The arguments of iterators that become records, and the part of a generator that iterators use."""

from __future__ import annotations

import os
from typing import Any, Final, Protocol

from imageloom._adapters.keras import configured
from imageloom._api.iterators.arguments import check_directory, geometry_warning
from imageloom._api.iterators.plans import FileSettings
from imageloom._api.planning import PlanningGenerator
from imageloom._checks.coordinates import COORDINATE_MODES, CoordinateOptions
from imageloom._checks.paths import check_save_format
from imageloom._checks.values import (
    check_batch_size,
    check_choice,
    check_dtype,
    check_subset,
    check_text,
)
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._options import GeneratorOptions
from imageloom._pipeline.compositions import check_takes, recognised
from imageloom._sources.base import subset_split
from imageloom._sources.splitting import division_of
from imageloom._warnings import Code, Once, warn_user

__all__ = [
    "FlowingGenerator",
    "check_compositions",
    "check_windows",
    "checked_generator",
    "coordinate_options",
    "file_settings",
    "output_settings",
    "warn_about_geometry",
]

_USUAL_BOXES: Final = "xyxy"
_USUAL_POINTS: Final = "xy"


class FlowingGenerator(PlanningGenerator, Protocol):
    """The part of a generator that its flow methods use."""

    _warned: Once

    def _options(self) -> GeneratorOptions:
        """The current options, checked."""
        ...


def checked_generator(generator: Any) -> FlowingGenerator:
    """The generator of an iterator; a plain one for None.

    Raises:
        ArgumentTypeError: it is no generator of this library.
    """
    if generator is None:
        from imageloom._api.generator import ImageDataGenerator  # which imports this module

        return ImageDataGenerator()
    if not hasattr(generator, "_open_channel"):
        raise ArgumentTypeError(
            "`image_data_generator` must be a generator of imageloom, or None; received "
            f"{type(generator).__module__}.{type(generator).__qualname__}."
        )
    found: FlowingGenerator = generator
    return found


def coordinate_options(
    class_mode: str | None,
    bounding_box_format: str,
    keypoint_format: str,
    max_boxes: int | None,
    min_visibility: float,
) -> CoordinateOptions | None:
    """The checked arguments for boxes or points; None for other class modes.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value that is not allowed, also if nobody needs it.
    """
    usual = bounding_box_format is _USUAL_BOXES and keypoint_format is _USUAL_POINTS
    usual &= max_boxes is None and type(min_visibility) is float and min_visibility == 0
    if class_mode is None and usual:
        return None  # as in nearly all flows; to check it takes longer than the rest of the arguments
    kind = class_mode if class_mode in COORDINATE_MODES else "boxes"
    found = CoordinateOptions.checked(
        str(kind),
        bounding_box_format=bounding_box_format,
        keypoint_format=keypoint_format,
        max_boxes=max_boxes,
        min_visibility=min_visibility,
    )
    return found if class_mode in COORDINATE_MODES else None


def check_compositions(options: GeneratorOptions, coordinates: CoordinateOptions | None) -> None:
    """Raises if a composition in the place of a function leaves boxes or points behind.

    Raises:
        InvalidArgumentError: it does.
    """
    for name in ("noaug_preprocessing_function", "preprocessing_function"):
        check_takes(name, recognised(name, getattr(options, name)), coordinates)


def file_settings(
    options: GeneratorOptions,
    *,
    batch_size: int,
    save_to_dir: str | os.PathLike[str] | None,
    save_prefix: str,
    save_format: str,
    subset: str | None,
    data_format: str | None,
    dtype: str | None,
    **reading: Any,
) -> FileSettings:
    """The checked arguments of a flow method for files; `reading` has those that only it has.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value that is not allowed.
        MissingDirectoryError: `save_to_dir` does not exist.
    """
    output = output_settings(
        options, batch_size, save_to_dir, save_prefix, save_format, subset, data_format, dtype
    )
    split = subset_split(subset, options.validation_share)
    if division_of(options, subset) is not None:
        split = None  # no slice
    return FileSettings(**output, **reading, split=split)


def output_settings(
    options: GeneratorOptions,
    batch_size: int,
    save_to_dir: str | os.PathLike[str] | None,
    save_prefix: str,
    save_format: str,
    subset: str | None,
    data_format: str | None,
    dtype: str | None,
) -> dict[str, Any]:
    """The fields of `OutputSettings`; for None, `data_format` and `dtype` are as Keras configures them.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a dtype or a data format that is not allowed.
        InvalidArgumentError: `subset` is not "training", "validation" or None.
        MissingDirectoryError: `save_to_dir` does not exist.
    """
    check_subset(subset)
    if data_format is None:
        data_format = configured("image_data_format", "channels_last")
    check_choice("data_format", data_format, ("channels_last", "channels_first"), also="None")
    if dtype is None:
        dtype = configured("floatx", "float32")
    check_dtype(dtype)
    if save_to_dir == "":
        save_to_dir = None  # Keras saves nothing then
    if save_to_dir is not None:
        check_directory("save_to_dir", save_to_dir)
    check_text("save_prefix", save_prefix)
    check_save_format(save_format)
    batch_size = batch_size if options.batch_size is None else options.batch_size
    check_batch_size(batch_size, 1)
    return {
        "batch_size": batch_size,
        "data_format": data_format,
        "dtype": dtype,
        "subset": subset,
        "save_to_dir": None if save_to_dir is None else os.fspath(save_to_dir),
        "save_prefix": save_prefix,
        "save_format": save_format,
    }


def check_windows(options: GeneratorOptions) -> None:
    """Raises if `random_crop` cannot cut windows of `target_size`, because there is none."""
    crop = options.transform.random_crop
    if crop is not None and crop.scale is None:
        raise InvalidArgumentError(
            "`random_crop=True` cuts windows of `target_size` out of larger image files, and the "
            'images of an array keep their size: pass random_crop={"scale": (0.08, 1.0)}, which cuts '
            "smaller windows and resizes them to that size."
        )


def warn_about_geometry(
    generator: FlowingGenerator, options: GeneratorOptions, size: tuple[int, int]
) -> None:
    """Warns once per generator if Keras' exchanged axes may make a visible difference."""
    text = geometry_warning(options, size)
    if text is not None and generator._warned.first("geometry"):
        warn_user(text, code=Code.EXCHANGED_AXES)
