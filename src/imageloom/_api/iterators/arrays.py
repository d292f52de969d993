"""The iterator over images in arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imageloom._addresses import with_address
from imageloom._api.iterators.arguments import order_options
from imageloom._api.iterators.attributes import Label
from imageloom._api.iterators.keras_base import Iterator
from imageloom._api.iterators.mistakes import check_arrays
from imageloom._api.iterators.origins import remembering
from imageloom._api.iterators.output import OutputAttributes
from imageloom._api.iterators.plans import ArrayPlan
from imageloom._api.iterators.settings import (
    check_compositions,
    check_windows,
    checked_generator,
    coordinate_options,
    output_settings,
    warn_about_geometry,
)
from imageloom._api.planning import OutputSettings, checked_mixing
from imageloom._checks.coordinates import COORDINATE_MODES
from imageloom._checks.keywords import explained
from imageloom._checks.values import check_choice, check_flag
from imageloom._log import check_verbose
from imageloom._public import public
from imageloom._sources.annotated_arrays import AnnotatedArrays
from imageloom._sources.arrays import ArraySource, images_of
from imageloom._sources.splitting import division_of
from imageloom._stream.supply import BatchT_co

__all__ = ["NumpyArrayIterator"]


class _Rows(Label[Any]):
    """A label of each image, of which NumPy takes rows."""

    def _assign(self, obj: Any, value: Any) -> None:
        super()._assign(obj, np.asarray(value) if isinstance(value, (list, tuple)) else value)


@public
class NumpyArrayIterator(OutputAttributes, Iterator[BatchT_co]):
    """Batches of the images of an array, as Keras' class of this name; usually made by `flow`.

    Args:
        x: images (n, height, width, channels), or channels first, of any dtype; or a tuple
            (images, further inputs).
        y: targets, n rows of any dtype; None for batches without targets.
        image_data_generator: a generator of this library; None for images as they are.
        batch_size: number of images in a batch; -1 for all.
        shuffle: draw a new order every epoch. The default is False, as in Keras.
        sample_weight: n weights, which are used only with `y`.
        seed: as for `flow`.
        data_format: `"channels_last"` or `"channels_first"`; None as Keras is configured.
        save_to_dir: an existing folder for the images of each batch.
        save_prefix: prefix of the saved files' names.
        save_format: format of the saved files.
        subset: `"training"` or `"validation"` (the first images), with `validation_split`.
        ignore_class_split: allow subsets that lack some classes.
        dtype: dtype of the images in a batch; None as Keras is configured.
        shard: as for `flow`.
        balance: as for `flow`.
        class_mode: `"boxes"` or `"keypoints"` for coordinates in `y`; None for other targets.
        bounding_box_format: as for `flow`.
        keypoint_format: as for `flow`.
        max_boxes: as for `flow`.
        min_visibility: as for `flow`.
        verbose: as for `flow`.

    Attributes:
        x: the images as given; each is converted to `dtype` when its batch is computed. Images that
            are changed in place are seen by batches that are not computed yet.
        x_misc: the further inputs, as a list of arrays.
        y: the targets, or None. They may be changed in place, too. Boxes and points may not, and it is
            None with them.
        sample_weight: the weights, or None. They may be changed in place, too.
        image_shape: shape of one image.

    Raises:
        InvalidArgumentError, ArgumentTypeError: arrays of different lengths, a rank other than 4,
            subsets with different classes, or another value that is not allowed.
        MissingDirectoryError: `save_to_dir` does not exist.
    """

    __slots__ = ()

    x_misc: Label[list[NDArray[Any]]] = Label()
    y: Label[Any] = _Rows()
    sample_weight: Label[Any] = _Rows()
    _plan: ArrayPlan

    @explained("NumpyArrayIterator")
    @remembering
    def __init__(
        self,
        x: ArrayLike | tuple[Any, Any],
        y: ArrayLike | Sequence[Any] | Mapping[str, Any] | None,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool | str = False,
        sample_weight: ArrayLike | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: str | None = None,
        *,
        shard: tuple[int, int] | str | None = None,
        balance: bool = False,
        class_mode: str | None = None,
        bounding_box_format: str = "xyxy",
        keypoint_format: str = "xy",
        max_boxes: int | None = None,
        min_visibility: float = 0.0,
        verbose: bool | int | str = True,
    ) -> None:
        check_verbose(verbose)
        if class_mode is not None:
            check_choice("class_mode", class_mode, COORDINATE_MODES, none=True)
        coordinates = coordinate_options(
            class_mode, bounding_box_format, keypoint_format, max_boxes, min_visibility
        )
        check_arrays(x, None if coordinates else y, sample_weight)
        check_flag("ignore_class_split", ignore_class_split)
        order = order_options(shuffle, seed, balance, shard)
        generator = checked_generator(image_data_generator)
        options = generator._options()
        check_windows(options)
        check_compositions(options, coordinates)
        settings = OutputSettings(
            **output_settings(
                options, batch_size, save_to_dir, save_prefix, save_format, subset, data_format, dtype
            )
        )
        kind: Any = ArraySource
        if coordinates is not None:
            kind = partial(AnnotatedArrays, coordinates=coordinates)
        source = kind(
            x,
            y,
            sample_weight,
            subset=subset,
            split=options.validation_share,
            division=division_of(options, subset),
            ignore_class_split=ignore_class_split,
            data_format=settings.data_format,
        )
        self._begin(ArrayPlan(source, settings), order)
        self.image_data_generator = image_data_generator
        rows, columns = (1, 2) if settings.data_format == "channels_last" else (2, 3)
        checked_mixing(options, source, subset)
        warn_about_geometry(generator, options, (source.rows.shape[rows], source.rows.shape[columns]))

    @property
    def x(self) -> Any:
        """The images; of an array in a file or a store, an object that reads them by slices."""
        return self._plan.source.x

    @x.setter
    def x(self, value: ArrayLike) -> None:
        if self._has_begun:
            images = images_of(value, self._plan.settings.data_format)
            self._plan.source.replace_images(images)
            self._recipe_changed()

    @property
    def class_indices(self) -> dict[str, int]:
        """The number of each class of boxes by its name; not there without names, as in Keras."""
        found: dict[str, int] = vars(self).get("class_indices") or self._plan.source.class_indices
        if not found:
            raise with_address(AttributeError("class_indices", name="class_indices", obj=self))
        return found

    @class_indices.setter
    def class_indices(self, value: dict[str, int]) -> None:
        vars(self)["class_indices"] = value  # for the program itself, as in Keras

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        found: tuple[int, ...] = vars(self).get("image_shape", self._plan.row_shape)
        return found

    @image_shape.setter
    def image_shape(self, value: tuple[int, ...]) -> None:
        vars(self)["image_shape"] = value
