"""The transforms of single images, which the public methods of a generator call.

They run in the calling thread. The methods are defined in the generator, where users override them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import check_seed
from imageloom._errors import InvalidArgumentError
from imageloom._imaging.augment.draw import TransformParams, draw_transform
from imageloom._imaging.normalise import (
    FeatureStatistics,
    StandardizeOptions,
    standardize,
    warn_if_unfitted,
)
from imageloom._options import GeneratorOptions
from imageloom._pipeline.hooks import (
    EXTRAS,
    Hook,
    ParallelProcessParams,
    SampleCall,
    current_sample,
)
from imageloom._pipeline.seeds import StreamPurpose, fork, global_state, step_stream
from imageloom._pipeline.spare_states import borrowed_state

__all__ = ["apply_to_image", "draw_for_image", "draw_from", "standardize_image"]

_NOT_OF_KERAS: Final = ("contrast", "noise")
_NEVER_USED: Final = np.random.SeedSequence(0)


def draw_for_image(
    options: GeneratorOptions, shape: Sequence[int], seed: int | None
) -> TransformParams:
    """Draws the parameters of one transform; see `get_random_transform`.

    Scripts write all parameters into a table, or compare them with a dictionary. So the keys are
    Keras', and those of options that Keras does not have are there only if they are used.
    """
    seed, sample = check_seed(seed), current_sample.get()
    own = _NEVER_USED
    if seed is not None:
        if _draws_own(options):
            own = np.random.SeedSequence((seed, 0, StreamPurpose.COLOUR_AND_NOISE))
        with borrowed_state(seed) as drawn_from:
            params = draw_from(drawn_from, options, shape, own, crops=sample is None)
    else:
        state = global_state()
        if _draws_own(options):
            own = fork(state) if sample is None else np.random.SeedSequence(sample.entropy)
        params = draw_from(state, options, shape, own, crops=sample is None)
    unused = [key for key in _NOT_OF_KERAS if params[key] is None]
    return {key: value for key, value in params.items() if key not in unused}


def _draws_own(options: GeneratorOptions) -> bool:
    """Whether anything may be drawn that Keras does not draw; its seed takes longer than all else."""
    transform = options.transform
    of_steps = transform.has_steps or transform.crops
    return of_steps or transform.contrast_range is not None or bool(transform.noise)


def draw_from(
    state: np.random.RandomState,
    options: GeneratorOptions,
    shape: Sequence[int],
    own: np.random.SeedSequence,
    *,
    crops: bool = False,
) -> TransformParams:
    """Draws the transform of one image.

    Args:
        state: the random state, which changes as in Keras; contrast and noise do not use it.
        options: the generator's options.
        shape: shape of the image, in the options' `data_format`.
        own: seed of the separate stream for contrast and noise; those of further steps derive from it.
        crops: whether a window is drawn, too; iterators cut it before they call a method.
    """
    rows = 0 if options.data_format == "channels_last" else 1
    height, width = shape[rows], shape[rows + 1]
    transform = options.transform
    params = draw_transform(
        state, transform, height, width, lambda: np.random.Generator(np.random.PCG64(own))
    )
    if transform.has_steps or transform.crops:
        from imageloom._imaging.augment.steps.draw import draw_steps, draw_window  # loads OpenCV

        words = own.entropy if isinstance(own.entropy, Sequence) else (own.entropy or 0,)
        stream = step_stream(words)
        draw_steps(params, transform, height, width, stream)
        if crops and transform.crops:
            size = (height, width)
            params["random_crop"] = draw_window(transform, size, size, stream)
    return params


def apply_to_image(
    options: GeneratorOptions, x: NDArray[Any], params: Mapping[str, Any]
) -> NDArray[Any]:
    """Applies a transform to one image; see `apply_transform`.

    Raises:
        InvalidArgumentError: the rank of the image is not 3.
    """
    from imageloom._imaging.augment.steps.apply import apply_all  # loads OpenCV

    if x.ndim != 3:
        raise InvalidArgumentError(f"Expected an image of rank 3, received shape {x.shape}.")
    if options.data_format == "channels_last":
        return apply_all(x, params, options.transform)
    image = np.moveaxis(x, 0, -1)
    transformed = apply_all(image, params, options.transform)
    return x if transformed is image else np.moveaxis(transformed, -1, 0)


def standardize_image(
    options: GeneratorOptions, statistics: FeatureStatistics, x: NDArray[Any], *, generator: Any
) -> NDArray[Any]:
    """Runs `preprocessing_function` and normalises in place; see `standardize`.

    Args:
        options: the generator's options.
        statistics: the statistics that `fit` computed.
        x: one image, or a batch.
        generator: the generator, which the function receives as `params.image_data_generator`.
    """
    inside = current_sample.get()
    if options.preprocessing_function is not None:
        hook = Hook("preprocessing_function", options.preprocessing_function)
        sample = inside or _sample_without_iterator(options, generator)
        x = hook(sample.params, x, sample.extras)
    steps = StandardizeOptions.of(options, statistics)
    if inside is not None and steps.active and x.dtype.kind != "f":
        x = x.astype(np.float32)  # hooks may return integers
    warn_if_unfitted(steps)
    return standardize(x, steps)


def _sample_without_iterator(options: GeneratorOptions, generator: Any) -> SampleCall:
    params = ParallelProcessParams(
        image_data_generator=generator,
        data_format=options.data_format,
        dtype=options.dtype,
        validation_split=options.validation_share,
        preprocessing_function=options.preprocessing_function,
        noaug_preprocessing_function=options.noaug_preprocessing_function,
        get_batch_function=options.get_batch_function,
    )
    return SampleCall(params, dict.fromkeys(EXTRAS), ())
