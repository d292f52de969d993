"""imageloom: a replacement for Keras' `ImageDataGenerator` that computes batches in the background.

Only the import changes::

    from imageloom import ImageDataGenerator

    generator = ImageDataGenerator(cores=2, rotation_range=15, horizontal_flip=True, rescale=1 / 255)
    model.fit(generator.flow_from_directory("photos", target_size=(96, 96), seed=1))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from imageloom._errors import (
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
from imageloom._version import __version__ as __version__

if TYPE_CHECKING:
    from imageloom import image as image
    from imageloom._adapters.loss_jumps import LossJumpCallback
    from imageloom._adapters.report_callback import ReportCallback
    from imageloom._adapters.resume import ResumeCallback
    from imageloom._api.generator import ImageDataGenerator
    from imageloom._api.image_functions import (
        apply_affine_transform,
        apply_brightness_shift,
        apply_channel_shift,
        random_brightness,
        random_channel_shift,
        random_rotation,
        random_shear,
        random_shift,
        random_zoom,
    )
    from imageloom._api.iterators.arrays import NumpyArrayIterator
    from imageloom._api.iterators.base import BatchIterator
    from imageloom._api.iterators.dataframes import DataFrameIterator
    from imageloom._api.iterators.directories import DirectoryIterator
    from imageloom._api.iterators.keras_base import Iterator
    from imageloom._api.iterators.records import RecordIterator
    from imageloom._api.iterators.versions import AugmentedVersions
    from imageloom._api.parallel_generator import ParallelImageDataGenerator
    from imageloom._api.previews import preview
    from imageloom._api.resizing import smart_resize
    from imageloom._imaging.convert import array_to_img, img_to_array, save_img
    from imageloom._imaging.decode import DecompressionBombError, UnidentifiedImageError, load_img
    from imageloom._log import set_verbosity
    from imageloom._options import Noise
    from imageloom._pipeline.hooks import ParallelProcessParams
    from imageloom._stream.reporting.figures import EpochReport
    from imageloom._stream.reporting.report import Report
    from imageloom._stream.reporting.trace import Trace
    from imageloom._stream.substitutions import BadImage

# Names that are imported when they are first used. Some load Pillow and decoders, and
# `ResumeCallback` loads Keras. Worker processes import this package too, but none of these.
_LAZY = {
    "AugmentedVersions": "_api.iterators.versions",
    "BadImage": "_stream.substitutions",
    "BatchIterator": "_api.iterators.base",
    "DataFrameIterator": "_api.iterators.dataframes",
    "DecompressionBombError": "_imaging.decode",
    "DirectoryIterator": "_api.iterators.directories",
    "EpochReport": "_stream.reporting.figures",
    "ImageDataGenerator": "_api.generator",
    "Iterator": "_api.iterators.keras_base",
    "LossJumpCallback": "_adapters.loss_jumps",
    "Noise": "_options",
    "NumpyArrayIterator": "_api.iterators.arrays",
    "ParallelImageDataGenerator": "_api.parallel_generator",
    "ParallelProcessParams": "_pipeline.hooks",
    "RecordIterator": "_api.iterators.records",
    "Report": "_stream.reporting.report",
    "ReportCallback": "_adapters.report_callback",
    "ResumeCallback": "_adapters.resume",
    "Trace": "_stream.reporting.trace",
    "UnidentifiedImageError": "_imaging.decode",
    "apply_affine_transform": "_api.image_functions",
    "apply_brightness_shift": "_api.image_functions",
    "apply_channel_shift": "_api.image_functions",
    "array_to_img": "_imaging.convert",
    "img_to_array": "_imaging.convert",
    "load_img": "_imaging.decode",
    "preview": "_api.previews",
    "random_brightness": "_api.image_functions",
    "random_channel_shift": "_api.image_functions",
    "random_rotation": "_api.image_functions",
    "random_shear": "_api.image_functions",
    "random_shift": "_api.image_functions",
    "random_zoom": "_api.image_functions",
    "save_img": "_imaging.convert",
    "set_verbosity": "_log",
    "smart_resize": "_api.resizing",
}

__all__ = [
    "ArgumentTypeError",
    "AugmentedVersions",
    "BadImage",
    "BadImageError",
    "BadSamplesError",
    "BatchIndexError",
    "BatchIterator",
    "BatchMemoryError",
    "BatchShapeError",
    "BatchTimeoutError",
    "DataFrameIterator",
    "DecompressionBombError",
    "DirectoryIterator",
    "EpochReport",
    "ImageDataGenerator",
    "ImageLoomError",
    "InvalidArgumentError",
    "Iterator",
    "IteratorClosedError",
    "LossJumpCallback",
    "MissingColumnError",
    "MissingDependencyError",
    "MissingDirectoryError",
    "MissingFileError",
    "MissingImageError",
    "Noise",
    "NumpyArrayIterator",
    "ParallelImageDataGenerator",
    "ParallelProcessParams",
    "RecordIterator",
    "Report",
    "ReportCallback",
    "ResumeCallback",
    "StateMismatchError",
    "StorageError",
    "Trace",
    "UnidentifiedImageError",
    "WorkerDiedError",
    "WorkerError",
    "WorkerStartError",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "img_to_array",
    "load_img",
    "preview",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
    "set_verbosity",
    "smart_resize",
]


if not TYPE_CHECKING:  # otherwise type checkers would accept every misspelt name

    def __getattr__(name: str) -> Any:
        """Imports a public name when it is first used."""
        if name in _LAZY:
            globals()[name] = value = getattr(importlib.import_module(f"imageloom.{_LAZY[name]}"), name)
            return value
        if name == "image":  # a module, so no name for `from imageloom import *`
            return importlib.import_module("imageloom.image")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Returns all public names, including those that are not imported yet."""
    return sorted({*globals(), *__all__, "image"})
