"""The user's own functions, and what they are told.

A hook with one required positional parameter is Keras' `f(x)`; with two or more it is the
original's `f(params, x, ...)`, and gets by name whichever of the named extras it asks for.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import ArgumentTypeError
from imageloom._public import public

__all__ = ["EXTRAS", "Hook", "ParallelProcessParams", "SampleCall", "current_sample"]

EXTRAS: Final = ("class_id", "filename", "batch_index", "batch_class_ids", "batch_filenames")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@public
@dataclass(slots=True, kw_only=True)
class ParallelProcessParams:
    """What a hook may ask about the iterator that calls it.

    Attributes:
        rng: a `numpy.random.Generator` of this very sample: the same for the same seed and position,
            whatever the executor or the number of workers. Draw from it rather than `numpy.random`.
        image_data_generator: the generator as it was when the first batch was asked for.
        data_format: "channels_last" or "channels_first".
        dtype: dtype of batches and targets.
        validation_split: the share that is set apart, 0.0 for none.
        preprocessing_function: as given to the generator; likewise noaug_preprocessing_function and
            get_batch_function.
        directory: the folder of the files; None for images out of an array.
        target_size: (height, width) images are resized to; None for images out of an array.
        batch_shape: shape of a full batch of images.
        color_mode: "rgb", "rgba" or "grayscale"; None for images out of an array.
        interpolation: how images are resized; None for not at all.
        class_mode: as given to the flow method.
        class_indices: class name to number; empty without classes.
        n_classes: number of classes.
        split: the part of each class that is read, as two fractions, or None.
        subset: "training", "validation" or None.
        save_to_dir: where finished images are written, or None.
        save_prefix: start of their names.
        save_format: their format.
    """

    image_data_generator: Any
    data_format: str
    dtype: str
    validation_split: float
    preprocessing_function: Callable[..., Any] | None
    noaug_preprocessing_function: Callable[..., Any] | None
    get_batch_function: Callable[..., Any] | None
    directory: str | None = None
    target_size: tuple[int, int] | None = None
    batch_shape: tuple[int, ...] | None = None
    color_mode: str | None = None
    interpolation: str | None = None
    class_mode: str | None = None
    class_indices: Mapping[str, int] = field(default_factory=dict)
    n_classes: int = 0
    split: tuple[float, float] | None = None
    subset: str | None = None
    save_to_dir: str | None = None
    save_prefix: str = ""
    save_format: str = "png"
    _entropy: tuple[int, ...] | None = None
    _rng: np.random.Generator | None = field(default=None, repr=False)

    @property
    def rng(self) -> np.random.Generator:
        """The random stream of the sample at hand."""
        if self._rng is None:
            self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self._entropy)))
        return self._rng

    def for_sample(self, entropy: tuple[int, ...]) -> ParallelProcessParams:
        """The same parameters with the random stream of one sample.

        Args:
            entropy: numbers that the stream is made of.
        """
        params = copy.copy(self)
        params._entropy, params._rng = entropy, None
        return params


@dataclass(frozen=True, slots=True)
class SampleCall:
    """What the generator's methods know about the sample they are called for, inside an iterator.

    Attributes:
        params: for hooks.
        extras: what hooks may ask for by name.
        entropy: of the sample's stream for contrast and noise.
    """

    params: ParallelProcessParams
    extras: Mapping[str, Any]
    entropy: tuple[int, ...]


# Set while the user's own version of a generator's method runs, which may call ours.
current_sample: ContextVar[SampleCall | None] = ContextVar("current_sample", default=None)


class Hook:
    """A user's function, called the way its signature asks for."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        """Reads the signature.

        Raises:
            ArgumentTypeError: a required parameter that no hook is ever given.
        """
        self.name = name
        self.function = function
        self.wants_params: bool
        self.extras: Sequence[str]
        self.wants_params, self.extras = _read_signature(name, function)

    def __call__(
        self, params: ParallelProcessParams, x: NDArray[Any], extras: Mapping[str, Any]
    ) -> NDArray[Any]:
        """Runs the function on one image and returns what it returns, as an array."""
        named = {name: extras[name] for name in self.extras}
        if self.wants_params:
            return np.asarray(self.function(params, x, **named))
        return np.asarray(self.function(x, **named))


def _read_signature(name: str, function: Callable[..., Any]) -> tuple[bool, Sequence[str]]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-ins tell nothing about themselves
        return False, ()
    required = [
        p.name for p in parameters if p.kind in _POSITIONAL and p.default is inspect.Parameter.empty
    ]
    by_name = {p.name for p in parameters if p.kind is not inspect.Parameter.POSITIONAL_ONLY}
    keyword_required = {
        p.name
        for p in parameters
        if p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is inspect.Parameter.empty
    }
    unknown = [n for n in [*required[2:], *keyword_required] if n not in EXTRAS]
    if unknown:
        raise ArgumentTypeError(
            f"`{name}` requires the parameter(s) {', '.join(unknown)}, which no hook is given. It is "
            f"called as f(x), or as f(params, x) plus any of {', '.join(EXTRAS)} by name; give "
            "other parameters a default, or bind them with functools.partial."
        )
    if len(required) < 2:
        return False, tuple(n for n in EXTRAS if n in keyword_required)
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return True, EXTRAS
    return True, tuple(n for n in EXTRAS if n in by_name and n not in required[:2])
