"""imageloom: Keras' `ImageDataGenerator`, with the work done in the background.

Change one import and keep the rest::

    from imageloom import ImageDataGenerator

    generator = ImageDataGenerator(cores=2, rotation_range=15, horizontal_flip=True, rescale=1 / 255)
    model.fit(generator.flow_from_directory("photos", target_size=(96, 96), seed=1))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from imageloom.errors import (
    ArgumentTypeError,
    BadImageError,
    BadSamplesError,
    BatchIndexError,
    BatchMemoryError,
    BatchShapeError,
    BatchTimeoutError,
    ImageLoomError,
    InvalidArgumentError,
    IteratorClosedError,
    MissingColumnError,
    MissingDependencyError,
    MissingDirectoryError,
    MissingFileError,
    MissingImageError,
    StateMismatchError,
    StorageError,
    WorkerDiedError,
    WorkerError,
    WorkerStartError,
)
from imageloom.version import __version__ as __version__

if TYPE_CHECKING:
    from imageloom.adapters.resume import ResumeCallback
    from imageloom.array_iterators import NumpyArrayIterator
    from imageloom.conversion import array_to_img, img_to_array, save_img
    from imageloom.file_iterators import DataFrameIterator, DirectoryIterator
    from imageloom.generator import ImageDataGenerator, ParallelImageDataGenerator
    from imageloom.hooks import ParallelProcessParams
    from imageloom.images import UnidentifiedImageError, load_img
    from imageloom.options import Noise
    from imageloom.previews import preview

# Loaded when they are first used. A worker process, which imports this package too, needs none of them;
# some load Pillow and decoders, and `ResumeCallback` loads Keras.
_LAZY = {
    "DataFrameIterator": "file_iterators",
    "DirectoryIterator": "file_iterators",
    "ImageDataGenerator": "generator",
    "Noise": "options",
    "NumpyArrayIterator": "array_iterators",
    "ParallelImageDataGenerator": "generator",
    "ParallelProcessParams": "hooks",
    "ResumeCallback": "adapters.resume",
    "UnidentifiedImageError": "images",
    "array_to_img": "conversion",
    "img_to_array": "conversion",
    "load_img": "images",
    "preview": "previews",
    "save_img": "conversion",
}

__all__ = [
    "ArgumentTypeError",
    "BadImageError",
    "BadSamplesError",
    "BatchIndexError",
    "BatchMemoryError",
    "BatchShapeError",
    "BatchTimeoutError",
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "ImageLoomError",
    "InvalidArgumentError",
    "IteratorClosedError",
    "MissingColumnError",
    "MissingDependencyError",
    "MissingDirectoryError",
    "MissingFileError",
    "MissingImageError",
    "Noise",
    "NumpyArrayIterator",
    "ParallelImageDataGenerator",
    "ParallelProcessParams",
    "ResumeCallback",
    "StateMismatchError",
    "StorageError",
    "UnidentifiedImageError",
    "WorkerDiedError",
    "WorkerError",
    "WorkerStartError",
    "array_to_img",
    "img_to_array",
    "load_img",
    "preview",
    "save_img",
]


if not TYPE_CHECKING:  # or else type checkers would believe in every misspelt name

    def __getattr__(name: str) -> Any:
        """Imports what is heavy when it is first used."""
        if name in _LAZY:
            globals()[name] = value = getattr(importlib.import_module(f"imageloom.{_LAZY[name]}"), name)
            return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """All public names, also those not imported yet."""
    return sorted({*globals(), *__all__})
