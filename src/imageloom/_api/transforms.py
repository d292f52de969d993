"""A generator's transforms, on single images and arrays, in the foreground."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imageloom._api.generator_attributes import GeneratorAttributes
from imageloom._checks import check_int, check_seed
from imageloom._errors import InvalidArgumentError
from imageloom._imaging.augment.draw import TransformParams, default_transform, draw_transform
from imageloom._imaging.moments import check_whitening_fits, statistics_of_array
from imageloom._imaging.normalise import (
    FeatureStatistics,
    StandardizeOptions,
    standardize,
    warn_if_unfitted,
)
from imageloom._options import GeneratorOptions
from imageloom._pipeline.hooks import EXTRAS, Hook, ParallelProcessParams, SampleCall, current_sample
from imageloom._pipeline.seeds import StreamPurpose, drawing_from, fork, global_state
from imageloom._warnings import warn_user

__all__ = ["OPTION_NAMES", "ImageTransformer"]

OPTION_NAMES: Final = tuple(field.name for field in dataclasses.fields(GeneratorOptions))
_OVERRIDABLE: Final = (
    "default_transform",
    "get_random_transform",
    "apply_transform",
    "random_transform",
    "standardize",
)


class ImageTransformer(GeneratorAttributes):
    """The part of the generator that draws, applies, normalises and fits.

    Attributes:
        mean: what `fit` found, (1, 1, channels) or channels first; None before.
        std: likewise.
        zca_whitening_matrix: likewise, (d, d) for images of d values.
        channel_axis: axis of the channels in a batch.
        row_axis: of its rows.
        col_axis: of its columns.
    """

    _frozen_options: GeneratorOptions | None = None

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
        if not self._current_options().random_transforms_enabled:
            return self.default_transform
        if seed is not None:
            state = np.random.RandomState(seed)
            own = np.random.SeedSequence((seed, 0, StreamPurpose.COLOUR_AND_NOISE))
        else:
            state, sample = global_state(), current_sample.get()
            own = fork(state) if sample is None else np.random.SeedSequence(sample.entropy)
        return self._draw(state, img_shape, own)

    def _draw(
        self, state: np.random.RandomState, img_shape: Sequence[int], own: np.random.SeedSequence
    ) -> TransformParams:
        transform = self._current_options().transform
        height, width = img_shape[self.row_axis - 1], img_shape[self.col_axis - 1]
        return draw_transform(
            state, transform, height, width, lambda: np.random.Generator(np.random.PCG64(own))
        )

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
        from imageloom._imaging.augment.apply import apply_transform  # loads OpenCV

        if x.ndim != 3:
            raise InvalidArgumentError(f"Expected an image of rank 3, received shape {x.shape}.")
        options = self._current_options().transform
        if self.data_format == "channels_last":
            return apply_transform(x, transform_parameters, options)
        image = np.moveaxis(x, 0, -1)
        transformed = apply_transform(image, transform_parameters, options)
        return x if transformed is image else np.moveaxis(transformed, -1, 0)

    def random_transform(self, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
        """Draws a transform and applies it to one image.

        Args:
            x: image of rank 3, in the generator's `data_format`.
            seed: of the draw; None draws from NumPy's global state.

        Returns:
            The transformed image; `x` itself if no step is active.

        Raises:
            InvalidArgumentError: an image of another rank.
        """
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Runs `preprocessing_function`, then normalises in place.

        Args:
            x: one image, or a batch, which samplewise steps then take for one image, as in Keras;
                of a floating dtype.

        Returns:
            The normalised array: `x` itself, unless the function or whitening made a new one.
        """
        options, inside = self._current_options(), current_sample.get()
        if options.preprocessing_function is not None:
            hook = Hook("preprocessing_function", options.preprocessing_function)
            sample = inside or self._sample_of_no_iterator(options)
            x = hook(sample.params, x, sample.extras)
        steps = StandardizeOptions.of(options, self._statistics())
        if inside is not None and steps.active and x.dtype.kind != "f":
            x = x.astype(np.float32)  # in batches, that a hook returns integers is no error
        warn_if_unfitted(steps)
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
            InvalidArgumentError: an array of another rank than 4, or without images; images whose
                whitening matrix would not fit into memory.
        """
        options = self._current_options()
        shape = np.shape(x)
        _check_images(shape, options.data_format, self.channel_axis)
        check_int("rounds", rounds, 1)
        if options.zca_whitening:
            check_whitening_fits(shape[1:], shape[self.channel_axis])
        seed = check_seed(seed)
        images = np.array(x, dtype=options.dtype)
        # Keras rescales before it transforms here, which brightness does not survive.
        last = augment and options.geometry == "corrected"
        if options.rescale and not last:
            images *= options.rescale
        if augment:
            images = self._augmented(images, rounds, seed)
        if options.rescale and last:
            images *= options.rescale
        self._take_statistics(statistics_of_array(images, options, self.channel_axis))

    def _augmented(self, images: NDArray[Any], rounds: int, seed: int | None) -> NDArray[Any]:
        augmented = np.zeros((rounds * len(images), *images.shape[1:]), dtype=images.dtype)
        if self._current_options().transform.recolours:
            _warn_of_scale(images[0])
        state = global_state() if seed is None else np.random.RandomState(seed)
        draws = self._draws_for_fit(images.shape[1:], len(augmented), state)
        for i in range(len(augmented)):
            image = images[i % len(images)]
            if "random_transform" in self._overrides():
                with drawing_from(state):
                    augmented[i] = self.random_transform(image)
            else:
                augmented[i] = self.apply_transform(image, next(draws))
        return augmented

    def _draws_for_fit(
        self, shape: tuple[int, ...], count: int, state: np.random.RandomState
    ) -> Iterator[TransformParams]:
        """The transforms of `fit(augment=True)`, image by image, all from one state as in Keras."""
        drawn_by_user = {"get_random_transform", "default_transform"} & self._overrides()
        for i in range(count):
            if drawn_by_user:
                with drawing_from(state):
                    params = self.get_random_transform(shape)
                yield params
            else:
                yield self._draw(
                    state, shape, np.random.SeedSequence((i, StreamPurpose.COLOUR_AND_NOISE))
                )

    def _take_statistics(self, found: FeatureStatistics) -> None:
        self.mean = found.mean if found.mean is not None else self.mean
        self.std = found.std if found.std is not None else self.std
        if found.zca_whitening_matrix is not None:
            self.zca_whitening_matrix = found.zca_whitening_matrix

    def _overrides(self) -> frozenset[str]:
        """The methods that the user has replaced, in a subclass or on this very object."""
        return frozenset(
            name
            for name in _OVERRIDABLE
            if name in self.__dict__ or getattr(type(self), name) is not getattr(ImageTransformer, name)
        )

    def _sample_of_no_iterator(self, options: GeneratorOptions) -> SampleCall:
        params = ParallelProcessParams(
            image_data_generator=self,
            data_format=options.data_format,
            dtype=options.dtype,
            validation_split=options.split,
            preprocessing_function=options.preprocessing_function,
            noaug_preprocessing_function=options.noaug_preprocessing_function,
            get_batch_function=options.get_batch_function,
        )
        return SampleCall(params, dict.fromkeys(EXTRAS), ())

    def _current_options(self) -> GeneratorOptions:
        """The attributes as they are now, checked again; in an iterator's copy, as they were."""
        if self._frozen_options is not None:
            return self._frozen_options
        return GeneratorOptions(**{name: getattr(self, name) for name in OPTION_NAMES})

    def _statistics(self) -> FeatureStatistics:
        return FeatureStatistics(
            mean=self.mean, std=self.std, zca_whitening_matrix=self.zca_whitening_matrix
        )


def _warn_of_scale(image: NDArray[Any]) -> None:
    """Warns if colour steps would not work as expected on the images that `fit` transforms."""
    from imageloom._imaging.augment.apply import scale_warning  # loads OpenCV

    text = scale_warning(image, "the images given to `fit`, which are rescaled before")
    if text is not None:
        warn_user(f'{text} geometry="corrected" rescales them afterwards.')


def _check_images(shape: tuple[int, ...], data_format: str, channel_axis: int) -> None:
    if len(shape) != 4:
        raise InvalidArgumentError(
            f"Input to `.fit()` should have rank 4. Got array with shape: {shape}"
        )
    if shape[0] == 0:
        raise InvalidArgumentError(f"`.fit()` needs at least one image; received shape {shape}.")
    if shape[channel_axis] not in (1, 3, 4):
        warn_user(
            f"Expected input to be images following the data format convention {data_format!r}, with "
            f"1, 3 or 4 channels on axis {channel_axis}. However, it was passed an array with shape "
            f"{shape} ({shape[channel_axis]} channels)."
        )
