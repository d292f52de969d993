"""What counts as an array of images, and what does not: data sets, paths, tables and iterators.

NumPy would read a data set of another library item by item, which may take hours, or make an array of
one object out of it. So these are refused before anything of them is read.
"""

from __future__ import annotations

import os
from typing import Any, Final

from imageloom._checks.values import in_words
from imageloom._errors import ArgumentTypeError
from imageloom._storage.stored_arrays import is_stored

__all__ = ["check_images", "check_rows", "is_frame"]

# Libraries whose objects without `__array__` are data sets, loaders or samplers.
_OF_DATA_SETS: Final = frozenset(
    {"datasets", "deeplake", "fastai", "ffcv", "grain", "jax_dataloader", "keras", "litdata", "mxnet"}
    | {"keras_preprocessing", "lightning", "mltk", "nvidia", "petastorm", "pytorch_lightning", "ray"}
    | {"spdl", "squirrel", "streaming", "tensorflow", "tensorflow_datasets", "tf_keras", "torch"}
    | {"torchdata", "torchvision", "webdataset"}
)
_ARRAYS: Final = ("__array__", "__array_interface__")


def is_frame(value: Any) -> bool:
    """Whether a value is a pandas data frame."""
    return hasattr(value, "iloc") and hasattr(value, "columns")


def check_images(x: Any, instead: str) -> None:
    """Raises unless `x` may be an array of images, or a list or tuple of arrays.

    Args:
        x: the argument `x`.
        instead: what else is allowed, as the end of a sentence.
    """
    reason = _no_array(x)
    if reason is not None:
        raise ArgumentTypeError(f"`x` must be an array of images{instead}; received {reason}")


def check_rows(name: str, values: Any) -> None:
    """Raises unless a value may be an array with a row for each image, or None."""
    if values is None:
        return
    reason = _no_array(values)
    try:
        len(values)
    except TypeError:
        reason = f"{in_words(values)}."
    if reason is not None and not is_frame(values):
        raise ArgumentTypeError(
            f"`{name}` must be an array with a row for each image, or None; received {reason}"
        )


def _no_array(value: Any) -> str | None:
    """What a value is, with a full stop and advice, if it is no array; None if it may be one."""
    if is_frame(value):
        return f"a table of shape {value.shape}. For the files that it names, use flow_from_dataframe."
    if any(hasattr(value, name) for name in _ARRAYS) or is_stored(value):
        return None
    if isinstance(value, (str, bytes, os.PathLike)):
        return f"{in_words(value)}. For a folder of images, use flow_from_directory."
    if isinstance(value, type) or value is None or isinstance(value, (dict, set, frozenset)):
        return f"{in_words(value)}."
    return _other_kind(value)


def _other_kind(value: Any) -> str | None:
    """The same for an object of a class that NumPy knows nothing about."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if {base.__module__.partition(".")[0] for base in kind.__mro__} & _OF_DATA_SETS:
        what = f"{name}, a data set of another library"
    elif hasattr(value, "__next__"):
        what = f"{name}, an iterator"
    elif not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
        return f"{in_words(value)}."
    else:
        return None if isinstance(value, (list, tuple)) else _of_pairs(value, name)
    return f"{what}. Read its images into an array, or use flow_from_directory."


def _of_pairs(value: Any, name: str) -> str | None:
    """Reads one item of a sequence: data sets have images with labels."""
    try:
        first = value[0] if len(value) else None
    except Exception:  # the user's class may raise anything; NumPy will tell
        return None
    if not isinstance(first, (tuple, dict, str)):
        return None
    return f"{name}, a sequence of {type(first).__name__}s. Pass an array of the images alone."
