"""The attributes of the iterators that compute images: the generator, and what batches look like."""

from __future__ import annotations

from typing import Any

from imageloom._api.iterators.attributes import Setting
from imageloom._api.iterators.machinery import IteratorMachinery
from imageloom._api.iterators.settings import checked_generator

__all__ = ["OutputAttributes"]


class OutputAttributes(IteratorMachinery):
    """The attributes of all iterators that compute images.

    Attributes:
        data_format: `"channels_last"` or `"channels_first"`.
        dtype: of the images in a batch.
        subset: `"training"`, `"validation"` or None, as given.
        save_to_dir: the folder to which finished images are written, or None.
        save_prefix: prefix of the saved files' names.
        save_format: format of the saved files.
    """

    __slots__ = ()

    data_format: Setting[str] = Setting()
    dtype: Setting[str] = Setting()
    subset: Setting[str | None] = Setting()
    save_to_dir: Setting[str | None] = Setting()
    save_prefix: Setting[str] = Setting()
    save_format: Setting[str] = Setting()

    @property
    def image_data_generator(self) -> Any:
        """The generator that transforms the images, and whose workers compute the batches."""
        return vars(self).get("image_data_generator")

    @image_data_generator.setter
    def image_data_generator(self, generator: Any) -> None:
        checked_generator(generator)
        vars(self)["image_data_generator"] = generator
        if self._has_begun:
            self._recipe_changed()
