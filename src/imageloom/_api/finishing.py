"""The recipe of batches that a device finishes, and the steps that it takes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from imageloom._adapters.applications import ImageNetScaling, stand_in
from imageloom._adapters.finish.steps import FinishSteps
from imageloom._errors import InvalidArgumentError
from imageloom._pipeline.recipe import Recipe
from imageloom._pipeline.user_methods import DRAWING

__all__ = ["unfinished"]


def unfinished(recipe: Recipe) -> tuple[Recipe, FinishSteps]:
    """The same recipe without what a device does, and that.

    Raises:
        InvalidArgumentError: a function or method of the user, or the number of channels, needs the
            host.
    """
    _check(recipe)
    scaling = _scaling(recipe)
    height, width, channels = _stored_shape(recipe)
    layout = dataclasses.replace(
        recipe.layout,
        row_shape=(height, width, channels),
        dtype=_stored_dtype(recipe),
        copies=recipe.images,
        drawn=recipe.images,
    )
    steps = _steps(recipe, scaling)
    code = dataclasses.replace(recipe.user_code, hook=None)
    return dataclasses.replace(recipe, layout=layout, user_code=code, unfinished=True), steps


def _check(recipe: Recipe) -> None:
    methods = sorted(recipe.user_code.overrides - DRAWING)
    if methods:
        raise InvalidArgumentError(
            f'finish="device" cannot compute {", ".join(f"`{name}`" for name in methods)} of your '
            'class on a device: override `get_random_transform`, or pass finish="host".'
        )
    if recipe.params.save_to_dir is not None:
        raise InvalidArgumentError(
            'finish="device" cannot write images to `save_to_dir`: leave it out, or pass finish="host".'
        )
    channels, options = _stored_shape(recipe)[2], recipe.transform
    recolours = options is not None and (options.brightness_range or options.contrast_range)
    if recolours and channels not in (1, 3, 4):
        raise InvalidArgumentError(
            "Unsupported channel number: brightness and contrast need images with 1, 3 or 4 channels; "
            f"received {channels}."
        )


def _scaling(recipe: Recipe) -> ImageNetScaling | None:
    hook = recipe.user_code.hook
    if hook is None:
        return None
    function = hook.function
    found = function if isinstance(function, ImageNetScaling) else stand_in(function)
    if found is None:
        raise InvalidArgumentError(
            'finish="device" cannot compute `preprocessing_function` on a device: this is no known '
            '`preprocess_input` of Keras. Leave it out, or pass finish="host".'
        )
    return found


def _stored_shape(recipe: Recipe) -> tuple[int, int, int]:
    shape = recipe.layout.row_shape
    if recipe.channels_first:
        return shape[1], shape[2], shape[0]
    return shape[0], shape[1], shape[2]


def _stored_dtype(recipe: Recipe) -> str:
    """Bytes, or float32 if the images are not bytes before the transforms."""
    stored_as = "uint8" if recipe.rows is None else np.dtype(recipe.rows.dtype).name
    is_bytes = stored_as == "uint8" and recipe.user_code.noaug_hook is None
    return "uint8" if is_bytes else "float32"


def _steps(recipe: Recipe, scaling: ImageNetScaling | None) -> FinishSteps:
    options, standardize = recipe.transform, recipe.standardize
    draws = options is not None and not options.changes_nothing
    # A method of the user may draw what no option asks for.
    free = bool(recipe.user_code.overrides & DRAWING) and options is not None
    known = standardize.statistics

    def drawn(option: Any) -> bool:
        return free or (draws and bool(option))

    return FinishSteps(
        images=recipe.images,
        masks=recipe.masks + len(recipe.layout.coordinates),
        repeats_images=recipe.layout.copies > recipe.images,
        moves=free or draws,
        blends=options is not None
        and options.interpolation_order == 1
        and (free or not options.only_flips),
        fill_mode="nearest" if options is None else options.fill_mode,
        cval=0.0 if options is None else float(options.cval),
        shifts_channels=drawn(options is not None and options.channel_shift_range),
        brightens=drawn(options is not None and options.brightness_range is not None),
        contrasts=drawn(options is not None and options.contrast_range is not None),
        scaling=scaling,
        rescale=standardize.rescale,
        samplewise_center=standardize.samplewise_center,
        samplewise_std=standardize.samplewise_std_normalization,
        mean=known.mean if standardize.featurewise_center else None,
        std=known.std if standardize.featurewise_std_normalization else None,
        whitening=known.zca_whitening_matrix if standardize.zca_whitening else None,
        channels_first=recipe.channels_first,
        dtype=recipe.layout.dtype,
    )
