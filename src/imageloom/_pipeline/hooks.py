"""The user's own functions, and the arguments that they receive.

A hook with one required positional parameter is called as `f(x)`, as in Keras. A hook with two or
more is called as `f(params, x, ...)`, as in the original library, and receives by name those extras
that it has parameters for. A composition of another library is called as that wants it (see
`compositions`).
"""

from __future__ import annotations

import copy
import inspect
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import in_words, is_floating
from imageloom._errors import ArgumentTypeError
from imageloom._pipeline.compositions import BYTE, Composition, as_bytes, recognised
from imageloom._public import public

__all__ = [
    "EXTRAS",
    "Hook",
    "ParallelProcessParams",
    "SampleCall",
    "as_image",
    "current_sample",
    "params_for_sample",
]

EXTRAS: Final = ("class_id", "filename", "batch_index", "batch_class_ids", "batch_filenames")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@public
@dataclass(slots=True, kw_only=True)
class ParallelProcessParams:
    """The parameters of the generator and the iterator that call a hook.

    Attributes:
        rng: A `numpy.random.Generator` for this sample. It is the same for the same seed and
            position, whatever the executor and the number of workers. Draw from it rather than
            `numpy.random`.
        image_data_generator: The generator as it was when the first batch was requested.
        data_format: "channels_last" or "channels_first".
        dtype: The dtype of batches and targets.
        validation_split: The share of samples for validation; 0.0 for none.
        preprocessing_function: The function that was given to the generator; likewise
            noaug_preprocessing_function and get_batch_function.
        directory: The folder of the files; None for images out of an array.
        target_size: The (height, width) that images are resized to; None for images out of an
            array.
        batch_shape: The shape of a full batch of images.
        color_mode: "rgb", "rgba" or "grayscale"; None for images out of an array.
        interpolation: How images are resized; None if they are not.
        class_mode: The argument of the flow method.
        class_indices: The number of each class by its name; empty without classes.
        n_classes: The number of classes.
        split: The part of each class that is read, as two fractions, or None.
        subset: "training", "validation" or None.
        save_to_dir: The folder that finished images are saved to, or None.
        save_prefix: The beginning of their names.
        save_format: Their format.
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
    color_mode: str | int | None = None
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
        """The random stream of the current sample."""
        if self._rng is None:
            self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(self._entropy)))
        return self._rng


def params_for_sample(params: ParallelProcessParams, entropy: tuple[int, ...]) -> ParallelProcessParams:
    """Returns the same parameters with the random stream of one sample, seeded with `entropy`."""
    own = copy.copy(params)
    own._entropy, own._rng = entropy, None
    return own


@dataclass(frozen=True, slots=True)
class SampleCall:
    """The sample that an iterator calls a method of the generator for.

    Attributes:
        params: The first argument of hooks.
        extras: The arguments that hooks may receive by name.
        entropy: The seed of the sample's random stream for contrast and noise.
    """

    params: ParallelProcessParams
    extras: Mapping[str, Any]
    entropy: tuple[int, ...]


# Set while a method that the user has overridden runs, because it may call the original method.
current_sample: ContextVar[SampleCall | None] = ContextVar("imageloom.sample", default=None)


class Hook:
    """A function of the user, which is called with the arguments that its signature has.

    Attributes:
        composition: The transform of another library that it is; None for a function.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        """Reads the signature.

        Raises:
            ArgumentTypeError: The function requires an argument that hooks do not receive.
        """
        self.name = name
        self.function = function
        self.wants_params: bool
        self.extras: Sequence[str]
        self.composition = recognised(name, function)
        if self.composition is not None:
            self.wants_params, self.extras = False, ()
            return
        self.wants_params, self.extras = _read_signature(name, function)

    @property
    def takes_image_only(self) -> bool:
        """Whether it is called as `f(x)`, as in Keras; to make what others receive takes longer."""
        return self.composition is None and not self.wants_params and not self.extras

    def __call__(
        self, params: ParallelProcessParams, x: NDArray[Any], extras: Mapping[str, Any]
    ) -> NDArray[Any]:
        """Runs the function on one image and returns what it returns, as an array."""
        if self.composition is not None:
            self.seed(params)
            return as_image(self.name, _composed(self.composition, x, params.data_format))
        named = {name: extras[name] for name in self.extras}
        if self.wants_params:
            return as_image(self.name, self.function(params, x, **named))
        return as_image(self.name, self.function(x, **named))

    def seed(self, params: ParallelProcessParams) -> None:
        """Seeds what a composition draws from, for the sample of these parameters."""
        if self.composition is not None and params._entropy is not None:
            self.composition.seed((*params._entropy, zlib.crc32(self.name.encode())))


def _composed(composition: Composition, x: NDArray[Any], data_format: str) -> Any:
    """What a composition makes of an image alone, in the layout of the user."""
    if x.dtype.kind == "f" and x.size and x.min() >= 0 and 1 < x.max() <= BYTE:
        x = as_bytes(x)
    if data_format == "channels_last":
        return composition.image(x)
    return np.moveaxis(np.asarray(composition.image(np.moveaxis(x, 0, -1))), -1, 0)


def as_image(name: str, returned: Any) -> NDArray[Any]:
    """What a function of the user has returned, as an array.

    Raises:
        ArgumentTypeError: It is no image; a function without `return` returns None.
    """
    if returned is None:
        raise ArgumentTypeError(
            f"{name} returned None, but must return the image: end it with a `return`."
        )
    try:
        image = np.asarray(returned)
    except (TypeError, ValueError):  # such as a tuple of an image and its label
        image = np.empty(0, dtype=object)
    if image.dtype.kind not in "biufc" and not is_floating(image.dtype):
        raise ArgumentTypeError(
            f"{name} returned {in_words(returned)}, but must return the image, an array of numbers."
        )
    return image


def _read_signature(name: str, function: Callable[..., Any]) -> tuple[bool, Sequence[str]]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except Exception:  # some built-in functions have no signature; classes of the user may do anything
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
            f"`{name}` requires the argument(s) {', '.join(unknown)}, which hooks do not receive. It "
            f"is called as f(x), or as f(params, x) and any of {', '.join(EXTRAS)} by name. Give "
            "other parameters a default value, or bind them with functools.partial."
        )
    if len(required) < 2:
        return False, tuple(n for n in EXTRAS if n in keyword_required)
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return True, EXTRAS
    return True, tuple(n for n in EXTRAS if n in by_name and n not in required[:2])
