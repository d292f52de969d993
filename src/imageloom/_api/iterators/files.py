"""The common part of the iterators over image files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from numpy.typing import NDArray

from imageloom._addresses import with_address
from imageloom._api.iterators.attributes import Setting
from imageloom._api.iterators.keras_base import Iterator
from imageloom._api.iterators.machinery import is_users
from imageloom._api.iterators.output import OutputAttributes
from imageloom._api.iterators.plans import FilePlan
from imageloom._checks.coordinates import COORDINATE_MODES
from imageloom._checks.values import check_choice
from imageloom._errors import InvalidArgumentError
from imageloom._pipeline.recipe import SampleName
from imageloom._sources.dataframe import DATAFRAME_CLASS_MODES
from imageloom._storage.urls import protocols
from imageloom._stream.supply import BatchT_co

__all__ = ["FileIterator"]

# Properties that a subclass may override, as with Keras, and what they stand for in a data set.
_OVERRIDABLE: Final = {
    "filepaths": "paths",
    "labels": "columns",
    "classes": "class_ids",
    "sample_weight": "sample_weight",
}


class FileIterator(OutputAttributes, Iterator[BatchT_co]):
    """The common part of the iterators over files.

    As in Keras, assigning `target_size`, `color_mode` or `data_format` leaves the shape of batches as
    it is: assign `image_shape`, too.

    Attributes:
        directory: the folder that `filenames` are relative to, as it was given. It is read when the
            iterator is made.
        target_size: (height, width) of the images in a batch.
        color_mode: `"rgb"`, `"rgba"`, `"grayscale"`, or a number of channels.
        interpolation: how images are resized; None if they are not resized.
        keep_aspect_ratio: whether images are cropped to the target's aspect ratio before resizing.
        split: the part of each class that the subset reads, as two fractions; None for all, and
            for parts that are no slice.
        class_indices: the number of each class, by its name; one-hot rows have as many columns.
        samples: number of samples that were found.
        allowed_class_modes: what `class_mode` may be when the iterator is made.
    """

    __slots__ = ()

    allowed_class_modes: ClassVar[set[str | None]]

    target_size: Setting[tuple[int, int]] = Setting()
    color_mode: Setting[str | int] = Setting()
    interpolation: Setting[str | None] = Setting()
    keep_aspect_ratio: Setting[bool] = Setting()
    split: Setting[tuple[float, float] | None] = Setting()
    directory: Any  # a string or a path, which programs go on with as Keras lets them
    samples: int
    _plan: FilePlan

    def _begin_files(self, plan: FilePlan, order: Any, generator: Any, directory: Any = None) -> None:
        self._begin(plan, order)
        self.image_data_generator = generator
        self.directory = plan.source.directory if directory is None else directory
        self.samples = len(plan.source)

    def _check_class_mode(self, class_mode: Any) -> None:
        allowed = self.allowed_class_modes  # a subclass may have others
        modes = sorted(mode for mode in allowed if mode)
        check_choice("class_mode", class_mode, modes, none=None in allowed)

    def _refresh(self) -> None:
        """Reads the properties of the user's class that say which files and labels there are."""
        super()._refresh()
        for name, kept_as in _OVERRIDABLE.items():
            member = getattr(type(self), name, None)
            if isinstance(member, property) and is_users(member.fget):
                setattr(self._plan.source, kept_as, getattr(self, name))

    def set_processing_attrs(
        self,
        image_data_generator: Any,
        target_size: tuple[int, int],
        color_mode: str | int,
        data_format: str,
        save_to_dir: str | None,
        save_prefix: str,
        save_format: str,
        subset: str | None,
        interpolation: str | None,
        keep_aspect_ratio: bool,
    ) -> None:
        """Assigns all these attributes, and the shape of images that follows from them.

        Args:
            image_data_generator: a generator of this library, or None.
            target_size: (height, width) to resize to.
            color_mode: `"rgb"`, `"rgba"`, `"grayscale"`, or a number of channels.
            data_format: `"channels_last"` or `"channels_first"`.
            save_to_dir: the folder for finished images, or None.
            save_prefix: prefix of the saved files' names.
            save_format: format of the saved files.
            subset: `"training"`, `"validation"` or None.
            interpolation: how to resize.
            keep_aspect_ratio: crop images to the target's aspect ratio before resizing.
        """
        self.image_data_generator = image_data_generator
        self.target_size, self.color_mode, self.data_format = target_size, color_mode, data_format
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        self.subset, self.interpolation = subset, interpolation
        self.keep_aspect_ratio = keep_aspect_ratio
        if self._has_begun:
            self.image_shape = self._plan.settings.image_shape

    @property
    def class_mode(self) -> str | None:
        """The kind of targets; None for batches of images alone."""
        return self._plan.source.class_mode

    @class_mode.setter
    def class_mode(self, value: str | None) -> None:
        if not self._has_begun:
            return  # `__init__` assigns it
        source = self._plan.source
        if value not in (None, *self.allowed_class_modes):
            check_choice("class_mode", value, DATAFRAME_CLASS_MODES, none=True)
        if value == "image" and not source.masks:
            raise InvalidArgumentError(
                'class_mode="image" needs columns of mask files: make a new iterator with '
                "flow_from_dataframe."
            )
        known = None if source.annotations is None else source.annotations.options.kind
        if value in COORDINATE_MODES and value != known:
            raise InvalidArgumentError(
                f'class_mode="{value}" needs columns of coordinates: make a new iterator with '
                "flow_from_dataframe."
            )
        source.class_mode = value
        self._recipe_changed()

    @property
    def class_indices(self) -> dict[str, int]:
        """The number of each class, by its name; as in Keras, not there without classes."""
        source = self._plan.source
        if source.class_ids is None and source.coordinates is None:
            if "class_indices" in vars(self):  # the program has assigned it, for itself
                assigned: dict[str, int] = vars(self)["class_indices"]
                return assigned
            raise with_address(AttributeError("class_indices", name="class_indices", obj=self))
        return source.class_indices

    @class_indices.setter
    def class_indices(self, value: dict[str, int]) -> None:
        if self._has_begun:
            vars(self)["class_indices"] = self._plan.source.class_indices = value
            self._recipe_changed()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image in a batch."""
        return self._plan.row_shape

    @image_shape.setter
    def image_shape(self, value: Sequence[int]) -> None:
        if self._has_begun:
            self._set_settings({"image_shape": tuple(value)})

    @property
    def filenames(self) -> Sequence[SampleName]:
        """The files as they were found. As in Keras, only `_filepaths` says which files are read."""
        found: Sequence[SampleName] = vars(self).setdefault(
            "filenames", list(self._plan.source.filenames)
        )
        return found

    @filenames.setter
    def filenames(self, value: Sequence[SampleName]) -> None:
        vars(self)["filenames"] = value

    @property
    def _filepaths(self) -> Any:
        """The files that are read; the list may be assigned, and changed in place."""
        return self._plan.source.all_paths()

    @_filepaths.setter
    def _filepaths(self, value: Any) -> None:
        if not self._has_begun:
            return
        source = self._plan.source
        _ = self.filenames  # stay as they were
        source.paths = value
        source.filenames = source.names()
        source.protocols = protocols([source.root, *map(str, source.filenames)])
        self._recipe_changed()

    @property
    def filepaths(self) -> list[SampleName]:
        """The paths of the files.

        Raises:
            AttributeError: it is assigned.
        """
        paths: list[SampleName] = self._filepaths
        return paths

    @filepaths.setter
    def filepaths(self, value: Any) -> None:
        raise with_address(
            AttributeError(
                f"`filepaths` of a {type(self).__name__} cannot be assigned, as in Keras: assign "
                "`_filepaths`."
            )
        )

    @property
    def sample_weight(self) -> Any:
        """The weights, or None.

        Raises:
            AttributeError: it is assigned.
        """
        return self._plan.source.sample_weight

    @sample_weight.setter
    def sample_weight(self, value: NDArray[Any] | None) -> None:
        raise with_address(
            AttributeError(
                f"`sample_weight` of a {type(self).__name__} cannot be assigned, as in Keras: use "
                "flow_from_dataframe with `weight_col`, or assign `_sample_weight` of its iterator."
            )
        )
