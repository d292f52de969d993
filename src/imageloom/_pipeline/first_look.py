"""Finds pixels that cannot be meant, in the first batch of an iterator.

A wrong scale, a dtype that cannot hold the values, or black images raise no error: training just does
not get better. One batch shows most of it. Only some pixels of some images are read, because a program
may open thousands of short flows; the later batches are not looked at.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.applications import known_scaling
from imageloom._imaging.augment.apply import scale_warning
from imageloom._imaging.clipping import ClippedFile, noting_clipped_files
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.whereabouts import Whereabouts
from imageloom._warnings import Code, Hint, coded

__all__ = ["FirstLook"]

Finding = tuple[str, str, type[Warning]]  # as in the report of a batch

_IMAGES: Final = 4  # of which the scale is looked at
_ROWS: Final = 32  # about so many rows and columns of each
_PROBES: Final = 64  # values that are compared before all are
_WHITE: Final = 255
_SIXTEEN_BITS: Final = 1000  # no eight bits, with whatever an interpolation adds
_SMALL: Final = 1 / 100  # factors below are meant for 0..255,
_OF_BYTES: Final = 1 / 257  # and those below this one for more
_LARGE: Final = 2
_ROUNDED: Final = 1e-3  # how far a whole number may be off after it was multiplied and divided
# What explains a batch without contrast.
_CAUSES: Final = (
    Code.CLIPPED_FILES,
    Code.RESCALE_MISFIT,
    Code.INTEGER_DTYPE,
    Code.COLOUR_SCALE,
    Code.NEGATIVE_FACTOR,
)


class FirstLook:
    """What is found in one batch."""

    def __init__(self, recipe: Recipe, task: BatchTask, at: Whereabouts) -> None:
        """Looks at the options; `at` tells which image `before_transform` is called for."""
        self._recipe = recipe
        self._task = task
        self._at = at
        self._found: dict[Code, Finding] = {}
        self._clipped: Sequence[ClippedFile] = ()
        self._seen = 0  # how many images have been looked at before their transform
        # Previews and `fit` see no finished pixels.
        self._is_whole = not (recipe.report.moments or recipe.report.transforms)
        overridden = "standardize" in recipe.user_code.overrides
        self._factor = None if overridden else recipe.standardize.rescale or None
        if self._is_whole:
            self._look_at_transforms()
            if not overridden:
                self._look_at_scaling()

    def reading(self) -> AbstractContextManager[object]:
        """A block in which clipped files are noted."""
        return nullcontext() if self._recipe.read is None else self._noting()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        with noting_clipped_files() as self._clipped:
            yield

    def before_transform(self, x: NDArray[Any]) -> None:
        """Looks at an image (height, width, channels) before its colours are changed."""
        options = self._recipe.transform
        if options is None or not (options.recolours or options.channel_shift_range):
            return
        self._seen += 1
        if self._seen > _IMAGES or Code.COLOUR_SCALE in self._found:
            return
        text = scale_warning(_some(x), self._at.name(), only_shift=not options.recolours)
        if text is not None:
            self._add(Code.COLOUR_SCALE, text)

    def finish(self, images: Sequence[NDArray[Any]]) -> tuple[Finding, ...]:
        """Looks at the finished batch; returns all that was found."""
        if self._clipped:
            self._add(Code.CLIPPED_FILES, _of_clipped(self._clipped, len(self._task), self._recipe))
        if self._is_whole and all(array.size > 1 and array.dtype.kind in "iufb" for array in images):
            self._look_at_pixels(images)
        return tuple(self._found.values())

    def _add(self, code: Code, text: str, category: type[Warning] = UserWarning) -> None:
        self._found.setdefault(code, (code, coded(code, text), category))

    def _look_at_transforms(self) -> None:
        transform = self._recipe.transform
        if transform is None or not transform.random_transforms_enabled:
            return
        if self._recipe.params.subset == "validation" and not transform.changes_nothing:
            self._add(Code.AUGMENTED_VALIDATION, _AUGMENTED, Hint)
        for name in ("brightness_range", "contrast_range"):
            pair = getattr(transform, name)
            if pair is not None and min(pair) < 0:
                self._add(Code.NEGATIVE_FACTOR, _of_negative(name, pair))

    def _look_at_scaling(self) -> None:
        code = self._recipe.user_code
        hooks = [hook for hook in (code.hook, code.noaug_hook) if hook is not None]
        scaling = next(filter(None, (known_scaling(hook.function) for hook in hooks)), None)
        if scaling is not None and self._factor is not None and self._factor != 1:
            self._add(Code.RESCALED_TWICE, _of_twice(self._factor, scaling))
        if np.dtype(self._recipe.layout.dtype).kind in "iub":
            self._look_at_dtype(scaling)

    def _look_at_dtype(self, scaling: str | None) -> None:
        steps, factor = self._recipe.standardize, self._factor
        what = ""
        if factor is not None and not float(factor).is_integer():
            what = f"`rescale={_in_words(factor)}` makes fractions of the pixels, which are cut off"
        elif (name := steps.first_normalisation) is not None:
            what = f"`{name}` makes small and negative numbers, which are cut off and wrap around"
        elif scaling is not None:
            what = f"{scaling} makes small and negative numbers, which are cut off and wrap around"
        if what:
            dtype = self._recipe.layout.dtype
            self._add(
                Code.INTEGER_DTYPE,
                f'dtype="{dtype}" holds whole numbers only, but {what}. Pass dtype="float32", or leave '
                "out that step and scale the pixels in the model.",
            )

    def _look_at_pixels(self, images: Sequence[NDArray[Any]]) -> None:
        probes = [_probes(array).tolist() for array in images]  # so few that NumPy would take longer
        lows, highs = [min(some) for some in probes], [max(some) for some in probes]
        if not all(map(math.isfinite, itertools.chain(*probes))):
            self._add(
                Code.NOT_FINITE,
                f"There are NaN or infinite values in the pixels of the first batch: {self._names()}. "
                "Look for them in the files, or for a division by zero in a hook.",
            )
            return
        if self._factor is not None and self._recipe.standardize.sole_factor:
            self._look_at_rescale(self._factor, images, min(lows), max(highs))
        if lows != highs or any(code in self._found for code in _CAUSES):
            return
        if all(map(_is_constant, images)):
            self._add(
                Code.CONSTANT_BATCH,
                f"All pixels of the first batch are {lows[0]:.4g}: {self._names()}. Look at some with "
                "`it.preview()`, and at what hooks and `color_mode` make of them.",
            )

    def _look_at_rescale(
        self, factor: float, images: Sequence[NDArray[Any]], low: float, high: float
    ) -> None:
        """Looks at the scale before `rescale`, of which the results tell; bounds are of some values."""
        if Code.RESCALED_TWICE in self._found or Code.INTEGER_DTYPE in self._found:
            return
        if factor > _LARGE and high > max(factor, _WHITE):
            advice = f"Pass `rescale=1/{factor:.6g}`, which divides."
        elif 0 < factor < _SMALL and -factor <= low and high <= factor and _in_unit(images, factor):
            advice = "They are scaled already: leave out `rescale`."
        elif _OF_BYTES <= factor < _SMALL and high > _SIXTEEN_BITS * factor:
            advice = "They have more than 8 bits: divide by their largest value, as 1/65535 does."
        else:
            return
        low, high = (min(a.min() for a in images), max(a.max() for a in images))
        self._add(
            Code.RESCALE_MISFIT,
            f"`rescale={_in_words(factor)}` makes {low:.4g}..{high:.4g} of pixels of "
            f"{low / factor:.4g}..{high / factor:.4g}. {advice}",
        )

    def _names(self) -> str:
        count, first = len(self._task), self._task.name(0)
        return first if count == 1 else f"{count} images, of which the first is {first}"


_AUGMENTED: Final = (
    'The images of subset="validation" are augmented at random, as in Keras, so that a score of them '
    "varies and is lower than on the images as they are. For the images as they are, pass "
    "`validation_augmentation_enabled=False` to the generator, or use a second generator with the same "
    "`validation_split` and without augmentation."
)


def _in_words(factor: float) -> str:
    """The factor, or the fraction that it was computed as: 1/255."""
    divisor = round(1 / factor)
    return f"1/{divisor}" if abs(divisor) > 1 and factor == 1 / divisor else f"{factor:.6g}"


def _some(x: NDArray[Any]) -> NDArray[Any]:
    """A view of some pixels of an image (height, width, channels), evenly spread."""
    return x[:: max(1, x.shape[0] // _ROWS), :: max(1, x.shape[1] // _ROWS)]


def _probes(array: NDArray[Any]) -> NDArray[Any]:
    """Some values of a batch, evenly spread."""
    flat = array.reshape(-1)
    # No multiple of the number of channels, or of a row's length, as most sizes are even.
    return flat[:: max(1, flat.size // _PROBES) | 1]


def _is_constant(array: NDArray[Any]) -> bool:
    return bool((array == array.flat[0]).all())


def _in_unit(images: Sequence[NDArray[Any]], factor: float) -> bool:
    """Whether all pixels were in -1..1 before they were multiplied, and not only 0 or 1."""
    fractions = False
    for array in images:
        pixels = array / factor
        if np.abs(pixels).max() > 1 + _ROUNDED:
            return False
        fractions = fractions or bool((np.abs(pixels - np.rint(pixels)) > _ROUNDED).any())
    return fractions


def _of_clipped(files: Sequence[ClippedFile], count: int, recipe: Recipe) -> str:
    first = files[0]
    assert recipe.read is not None
    mode = recipe.read.color_mode
    some = f"{len(files)} of the first {count} files"
    if first.is_fractional:
        return (
            f"{some} have floating pixels of {first.low:.4g}..{first.high:.4g} (as {first.name!r}), of "
            f'which color_mode="{mode}" keeps whole numbers only, so that nearly all become 0. Store '
            "them as .npy files, which are read as they are, or with whole numbers of 0..255."
        )
    keep = 'Pass color_mode="grayscale" to keep them, with `rescale=1/65535` for values of 0..1'
    if mode == "grayscale":
        keep = "Store them as .npy files, which are read as they are"
    return (
        f"{some} have pixels of {first.low:.6g}..{first.high:.6g} (as {first.name!r}), of which "
        f'color_mode="{mode}" sets all above {_WHITE} to {_WHITE}, as Keras does. {keep}, or scale the '
        "files to 8 bits."
    )


def _of_negative(name: str, pair: Sequence[float]) -> str:
    low, high = (f"{value:.6g}" for value in (min(pair), max(pair)))
    change = name.partition("_")[0]
    return (
        f"`{name}=({low}, {high})` draws negative factors, which make images black or inverted. "
        f"They are factors, and 1 leaves the {change} as it is: (0.8, 1.2) is a fifth less or more."
    )


def _of_twice(factor: float, scaling: str) -> str:
    return (
        f"{scaling} scales the pixels for its model, and `rescale={_in_words(factor)}` multiplies "
        "what it returns, because hooks run first. The model sees other numbers than it was trained "
        "with: leave out `rescale`."
    )
