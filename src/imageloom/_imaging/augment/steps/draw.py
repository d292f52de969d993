"""Draws the parameters of all further steps of an image, each from a stream of its own.

The parameters are plain Python objects, which JSON can hold. One is None where the image is left as it
is by chance, and missing where the step is off.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, unique
from typing import Any

import numpy as np

from imageloom._imaging.augment.steps.blur import draw_blur
from imageloom._imaging.augment.steps.colours import draw_hue, draw_saturation
from imageloom._imaging.augment.steps.crop import draw_crop
from imageloom._imaging.augment.steps.elastic import draw_elastic
from imageloom._imaging.augment.steps.erasing import draw_erasing
from imageloom._imaging.augment.steps.jpeg import draw_quality
from imageloom._imaging.augment.steps.perspective import draw_perspective
from imageloom._imaging.augment.steps.rand_augment import draw_operations
from imageloom._options import TransformOptions

__all__ = ["Step", "StepStream", "draw_steps", "draw_window"]


@unique
class Step(IntEnum):
    """The number of a step, which is part of the seed of its stream; it is never used for another."""

    RANDOM_CROP = 1
    PERSPECTIVE = 2
    ELASTIC = 3
    RAND_AUGMENT = 4
    HUE = 5
    SATURATION = 6
    GRAYSCALE = 7
    BLUR = 8
    JPEG_QUALITY = 9
    RANDOM_ERASING = 10


StepStream = Callable[[int], np.random.Generator]


def draw_steps(
    params: dict[str, Any], options: TransformOptions, height: int, width: int, stream: StepStream
) -> None:
    """Adds the parameters of all steps that are on, but for the crop.

    Args:
        params: what has been drawn of the other steps.
        options: what may be drawn.
        height: height of the image when it is transformed, in pixels.
        width: width likewise.
        stream: makes the image's random stream for a step.
    """
    if not options.has_steps or not options.random_transforms_enabled:
        return
    if options.perspective is not None:
        params["perspective"] = draw_perspective(stream(Step.PERSPECTIVE), options.perspective)
    if options.elastic is not None:
        params["elastic"] = draw_elastic(stream(Step.ELASTIC), options.elastic)
    if options.rand_augment is not None:
        params["rand_augment"] = draw_operations(stream(Step.RAND_AUGMENT), options.rand_augment)
    if options.hue_range is not None:
        params["hue"] = draw_hue(stream(Step.HUE), options.hue_range)
    if options.saturation_range is not None:
        params["saturation"] = draw_saturation(stream(Step.SATURATION), options.saturation_range)
    if options.grayscale is not None:
        params["grayscale"] = bool(stream(Step.GRAYSCALE).random() < options.grayscale) or None
    if options.blur is not None:
        params["blur"] = draw_blur(stream(Step.BLUR), options.blur)
    if options.jpeg_quality_range is not None:
        drawn = draw_quality(stream(Step.JPEG_QUALITY), options.jpeg_quality_range)
        params["jpeg_quality"] = drawn
    if options.random_erasing is not None:
        drawn_hole = draw_erasing(stream(Step.RANDOM_ERASING), options.random_erasing, height, width)
        params["random_erasing"] = drawn_hole


def draw_window(
    options: TransformOptions, shape: tuple[int, int], size: tuple[int, int], stream: StepStream
) -> dict[str, Any]:
    """Draws the window of `random_crop`, which must be on.

    Args:
        options: what may be drawn.
        shape: (height, width) of the image.
        size: (height, width) that the window gets.
        stream: makes the image's random stream for a step.
    """
    assert options.random_crop is not None
    return draw_crop(stream(Step.RANDOM_CROP), options.random_crop, shape, size)
