"""A generator's transforms, on single images and arrays, in the foreground."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imageloom.augment.draw import TransformParams, default_transform, draw_transform
from imageloom.errors import InvalidArgumentError, NotYetSupportedError
from imageloom.generator_attributes import GeneratorAttributes
from imageloom.hooks import Hook
from imageloom.options import GeneratorOptions
from imageloom.statistics import (
    FeatureStatistics,
    StandardizeOptions,
    compute_statistics,
    standardize,
    warn_if_unfitted,
)
from imageloom.validation import check_seed

__all__ = ["OPTION_NAMES", "ImageTransformer"]

OPTION_NAMES: Final = tuple(field.name for field in dataclasses.fields(GeneratorOptions))
_OWN_DRAWS: Final = 1


class ImageTransformer(GeneratorAttributes):
    """The part of the generator that draws, applies, normalises and fits.

    Attributes:
        mean: what `fit` found, (1, 1, channels) or channels first; None before.
        std: likewise.
        zca_whitening_matrix: likewise, (d, d) for images of d values.
        channel_axis: axis of the channels in a batch; row_axis and col_axis likewise.
    """

    def __init__(self, options: GeneratorOptions) -> None:
        """Shows the options as attributes."""
        for name in OPTION_NAMES:
            setattr(self, name, getattr(options, name))
        first = options.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self.mean: NDArray[Any] | None = None
        self.std: NDArray[Any] | None = None
        self.zca_whitening_matrix: NDArray[Any] | None = None

    @property
    def default_transform(self) -> TransformParams:
        """The parameters of the transform that changes nothing; a fresh dictionary each time."""
        return default_transform()

    def get_random_transform(
        self, img_shape: Sequence[int], seed: int | None = None
    ) -> TransformParams:
        """Draws the parameters of one transform.

        Args:
            img_shape: shape of the image, in the generator's `data_format`.
            seed: of the draw; None draws from NumPy's global state.

        Returns:
            theta and shear in degrees, tx and ty in pixels, zx and zy, flip_horizontal and
            flip_vertical, and channel_shift_intensity, brightness, contrast and noise or None.
        """
        seed = check_seed(seed)
        if seed is not None:
            state = np.random.RandomState(seed)
            own = np.random.SeedSequence((seed, 0, _OWN_DRAWS))
        else:
            state = _global_state()
            own = _fork(state)
        return self._draw(state, img_shape, lambda: np.random.Generator(np.random.PCG64(own)))

    def _draw(
        self,
        state: np.random.RandomState,
        img_shape: Sequence[int],
        own_stream: Callable[[], np.random.Generator],
    ) -> TransformParams:
        transform = self._current_options().transform
        height, width = img_shape[self.row_axis - 1], img_shape[self.col_axis - 1]
        return draw_transform(state, transform, height, width, own_stream)

    def apply_transform(self, x: NDArray[Any], transform_parameters: Mapping[str, Any]) -> NDArray[Any]:
        """Applies a transform to one image.

        Args:
            x: image of rank 3, in the generator's `data_format`.
            transform_parameters: keys as `get_random_transform` returns them; missing keys are off.

        Returns:
            The transformed image; `x` itself if no step is active.

        Raises:
            InvalidArgumentError: an image of another rank.
        """
        from imageloom.augment.apply import apply_transform  # loads OpenCV

        if x.ndim != 3:
            raise InvalidArgumentError(f"Expected an image of rank 3, received shape {x.shape}.")
        options = self._current_options().transform
        if self.data_format == "channels_last":
            return apply_transform(x, transform_parameters, options)
        image = np.moveaxis(x, 0, -1)
        transformed = apply_transform(image, transform_parameters, options)
        return x if transformed is image else np.moveaxis(transformed, -1, 0)

    def random_transform(self, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
        """Draws a transform and applies it to one image; arguments as in the two methods it calls."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Runs `preprocessing_function`, then normalises in place.

        Args:
            x: one image, or a batch, which samplewise steps then take for one image, as in Keras;
                of a floating dtype.

        Returns:
            The normalised array: `x` itself, unless the function or whitening made a new one.
        """
        options = self._current_options()
        if options.preprocessing_function is not None:
            hook = Hook("preprocessing_function", options.preprocessing_function)
            if hook.wants_params:
                raise NotYetSupportedError(
                    "`standardize` cannot call a preprocessing_function that takes `params`."
                )
            x = hook.function(x)
        steps = StandardizeOptions.of(options, self._statistics())
        warn_if_unfitted(steps, stacklevel=2)
        return standardize(x, steps)

    def fit(
        self, x: ArrayLike, augment: bool = False, rounds: int = 1, seed: int | None = None
    ) -> None:
        """Computes what featurewise steps and whitening need from sample images.

        Args:
            x: images (n, height, width, channels), or channels first; rescaled as batches are, but no
                hook runs.
            augment: compute them of randomly transformed images.
            rounds: how many transformed versions of each image.
            seed: of these transforms; None draws from NumPy's global state.

        Raises:
            InvalidArgumentError: an array of another rank than 4.
        """
        options = self._current_options()
        images = np.array(x, dtype=options.dtype)
        _check_images(images, options.data_format, self.channel_axis)
        seed = check_seed(seed)
        if options.rescale:
            images *= options.rescale
        if augment:
            state = _global_state() if seed is None else np.random.RandomState(seed)
            images = self._augmented(images, rounds, state)
        found = compute_statistics(
            images,
            center=bool(options.featurewise_center),
            std=bool(options.featurewise_std_normalization),
            zca=bool(options.zca_whitening),
            zca_epsilon=options.zca_epsilon,
            axes=(0, self.row_axis, self.col_axis),
        )
        self.mean = found.mean if found.mean is not None else self.mean
        self.std = found.std if found.std is not None else self.std
        if found.zca_whitening_matrix is not None:
            self.zca_whitening_matrix = found.zca_whitening_matrix

    def _augmented(
        self, images: NDArray[Any], rounds: int, state: np.random.RandomState
    ) -> NDArray[Any]:
        augmented = np.zeros((rounds * len(images), *images.shape[1:]), dtype=images.dtype)
        for i in range(len(augmented)):
            image = images[i % len(images)]
            own = np.random.SeedSequence((i, _OWN_DRAWS))
            params = self._draw(
                state,
                image.shape,
                lambda own=own: np.random.Generator(np.random.PCG64(own)),  # type: ignore[misc]
            )
            augmented[i] = self.apply_transform(image, params)
        return augmented

    def _current_options(self) -> GeneratorOptions:
        """The attributes as they are now, checked again."""
        return GeneratorOptions(**{name: getattr(self, name) for name in OPTION_NAMES})

    def _statistics(self) -> FeatureStatistics:
        return FeatureStatistics(
            mean=self.mean, std=self.std, zca_whitening_matrix=self.zca_whitening_matrix
        )


def _global_state() -> np.random.RandomState:
    """NumPy's global generator: drawing from it advances the one behind `np.random.seed`."""
    return np.random.RandomState(np.random.get_bit_generator())  # type: ignore[attr-defined]


def _fork(state: np.random.RandomState) -> np.random.SeedSequence:
    """A seed that depends on where `state` stands, without advancing it."""
    words: Any = state.get_state(legacy=False)["state"]
    return np.random.SeedSequence((*words["key"][:4], words["pos"]))


def _check_images(images: NDArray[Any], data_format: str, channel_axis: int) -> None:
    if images.ndim != 4:
        raise InvalidArgumentError(
            f"Input to `.fit()` should have rank 4. Got array with shape: {images.shape}"
        )
    if images.shape[channel_axis] not in (1, 3, 4):
        warnings.warn(
            f"Expected input to be images following the data format convention {data_format!r}, with "
            f"1, 3 or 4 channels on axis {channel_axis}. However, it was passed an array with shape "
            f"{images.shape} ({images.shape[channel_axis]} channels).",
            stacklevel=3,
        )
