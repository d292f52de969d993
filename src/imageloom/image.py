"""The names of `keras.preprocessing.image`, for scripts that import that module.

Only the import changes::

    from imageloom import image  # was: from tensorflow.keras.preprocessing import image

    picture = image.load_img("photo.jpg", target_size=(224, 224))
    generator = image.ImageDataGenerator(rotation_range=20)

All names are those of `imageloom` itself, and are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imageloom import (
        DataFrameIterator,
        DirectoryIterator,
        ImageDataGenerator,
        Iterator,
        NumpyArrayIterator,
        apply_affine_transform,
        apply_brightness_shift,
        apply_channel_shift,
        array_to_img,
        img_to_array,
        load_img,
        random_brightness,
        random_channel_shift,
        random_rotation,
        random_shear,
        random_shift,
        random_zoom,
        save_img,
        smart_resize,
    )

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
    "smart_resize",
]


if not TYPE_CHECKING:  # otherwise type checkers would accept every misspelt name

    def __getattr__(name: str) -> Any:
        """Imports a public name when it is first used."""
        if name in __all__:
            globals()[name] = value = getattr(importlib.import_module("imageloom"), name)
            return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Returns the public names, including those that are not imported yet."""
    return sorted(__all__)
