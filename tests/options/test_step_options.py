"""The options of further steps: what is refused, what is shown, and what can be given again."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pytest

from imageloom import ImageDataGenerator

STEPS: Final[dict[str, Any]] = {
    "random_crop": {"scale": (0.2, 0.7)},
    "perspective": {"factor": (1, 1), "scale": 0.3},
    "elastic": {"factor": (1, 1)},
    "rand_augment": (2, 0.4),
    "hue_range": (0.2, 0.5),
    "saturation_range": (0.1, 0.3),
    "grayscale": 1.0,
    "blur": {"factor": (1, 1), "sigma": (0.6, 2), "kernel_size": 5},
    "jpeg_quality_range": (5, 30),
    "random_erasing": (1, 1),
}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"random_crop": 0.5}, "`random_crop` must be True, or a dictionary"),
        ({"random_crop": {"scales": (0.1, 1)}}, "Did you mean 'scale'"),
        ({"random_crop": (0.5, 2)}, "share of the image, in 0..1"),
        ({"random_crop": (0.8, 0.2)}, "the lower one first"),
        ({"random_crop": {"ratio": (0, 1)}}, "two numbers > 0"),
        ({"perspective": 1.5}, "`factor of perspective` must be in 0..1"),
        ({"perspective": {"scale": 2}}, "`scale` of `perspective`"),
        ({"elastic": {"fill_mode": "mirrored"}}, "Did you mean 'mirror'"),
        ({"elastic": "strong"}, "`elastic` must be True"),
        ({"rand_augment": 2}, r"`rand_augment` must be \(n, magnitude\)"),
        ({"rand_augment": (2, 9)}, "torchvision's 9 of 30 is 0.3"),
        ({"rand_augment": (1.5, 0.5)}, "an integer >= 0"),
        ({"hue_range": True}, "`hue_range` must be a number in 0..1"),
        ({"hue_range": (-0.1, 0.1)}, "`hue_range` must be in 0..1"),
        ({"saturation_range": "0.5"}, "`saturation_range` must be a number"),
        ({"grayscale": 2}, "a probability in 0..1"),
        ({"blur": {"kernel_size": 4}}, "an odd number of pixels"),
        ({"blur": {"sigma": -1}}, "sigma of blur"),
        ({"jpeg_quality_range": (0, 90)}, "in 1..100"),
        ({"jpeg_quality_range": (90, 10)}, "the lower one first"),
        ({"jpeg_quality_range": 0.5}, "two whole numbers"),
        ({"random_erasing": {"fill_value": "red"}}, "`fill_value` of `random_erasing`"),
        ({"finish": "device", "hue_range": 0.2, "blur": True}, "`hue_range` and `blur`"),
    ],
)
def test_mistakes_are_found_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        ImageDataGenerator(**options)


def test_values_are_shown_and_can_be_given_again() -> None:
    given = STEPS | {"random_crop": {"scale": [0.2, np.float32(0.75)]}}
    generator = ImageDataGenerator(**given)
    again = eval(repr(generator), {"ImageDataGenerator": ImageDataGenerator})
    for name in STEPS:
        assert getattr(again, name) == getattr(generator, name)
    given["random_crop"]["scale"] = (1, 1)
    assert generator.random_crop == {"scale": (0.2, 0.75)}
    assert again._options().transform == generator._options().transform
