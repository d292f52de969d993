"""What stands beside pictures: parameters as one sees them, and notes of geometry."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import imageloom
from imageloom import ImageDataGenerator
from imageloom._preview.captions import conventions, phrases
from imageloom._preview.step_captions import STEP_KEYS
from imageloom._preview.words import geometry_notes


def turned(**params: float) -> tuple[float, float, float, float]:
    """Where a small white square right of and above the middle goes: centre, height and width."""
    image = np.zeros((101, 101, 1), np.float32)
    image[30:34, 60:64] = 255
    generator = ImageDataGenerator(fill_mode="constant")
    rows, columns = np.nonzero(generator.apply_transform(image, params)[..., 0] > 100)
    return rows.mean(), columns.mean(), float(np.ptp(rows)) + 1, float(np.ptp(columns)) + 1


@pytest.mark.parametrize("geometry", ["keras", "corrected"])
def test_captions_say_what_one_sees(geometry: str) -> None:
    row, column, height, width = turned()
    assert phrases({"tx": -7, "ty": 3.2}) == ["shift +7, -3"]
    assert turned(tx=-7, ty=3)[:2] == (row - 3, column + 7)
    assert phrases({"theta": 90}) == ["rotate +90.0\N{DEGREE SIGN}"]
    up, right = 50 - row, column - 50
    assert turned(theta=90)[:2] == pytest.approx((50 - right, 50 - up)), "anticlockwise"
    assert phrases({"zx": 0.5, "zy": 1}) == ["zoom 2.00, 1.00"]
    assert turned(zx=0.5)[2:] == pytest.approx((height, 2 * width), abs=1)
    assert phrases({"shear": 20}) == ["shear +20.0\N{DEGREE SIGN}"]
    assert turned(shear=20)[1] < column, "what is above the middle goes left, what is below right"
    # Whatever the geometry, what was drawn is applied alike.
    generator = ImageDataGenerator(width_shift_range=[9.0], geometry=geometry)
    params = generator.get_random_transform((60, 60, 3), seed=1)
    (phrase,) = phrases(params)
    moved = re.fullmatch(r"shift (0|[+-]9), (0|[+-]9)", phrase)
    assert moved
    assert (moved[1] == "0") == (geometry == "keras")


def test_captions_of_everything_else() -> None:
    generator = ImageDataGenerator()
    assert phrases(generator.default_transform) == ["unchanged"]
    assert phrases({}) == ["unchanged"]
    assert phrases(None) == ["no random transform"]
    found = phrases(
        {
            "theta": 3, "flip_horizontal": True, "flip_vertical": True, "brightness": 1.234,
            "channel_shift_intensity": -12.4, "contrast": 0.5, "noise": imageloom.Noise("s&p"),
            "mine": 0.12345,
        }
    )  # fmt: skip
    assert found == [
        "rotate +3.0\N{DEGREE SIGN}", "channels -12", "flip both", "brightness 1.23", "contrast 0.50",
        "s&p noise", "mine 0.123",
    ]  # fmt: skip
    assert [text.split(":")[0] for text in conventions(found)] == ["rotate", "channels"]


def test_keras_exchanged_shifts_are_told() -> None:
    def notes(**options: Any) -> list[str]:
        return geometry_notes(ImageDataGenerator(**options))

    (note,) = notes(width_shift_range=0.2)
    assert "width_shift_range moves images up and down" in note
    assert notes(width_shift_range=[1, 2], height_shift_range=(1, 2, 3))
    assert not notes(width_shift_range=0.2, height_shift_range=0.2)
    assert not notes(width_shift_range=0.2, geometry="corrected")


def test_captions_of_further_steps() -> None:
    generator = ImageDataGenerator(
        random_crop=(0.2, 0.8),
        perspective=(1, 1),
        elastic=(1, 1),
        rand_augment=(2, 0.5),
        hue_range=(0.5, 0.5),
        saturation_range=(0.5, 0.5),
        grayscale=1,
        blur=(1, 1),
        jpeg_quality_range=40,
        random_erasing=(1, 1),
    )
    drawn = generator.get_random_transform((60, 60, 3), seed=3)
    found = phrases(drawn)
    words = [phrase.split()[0] for phrase in found]
    assert words == [
        "crop", "perspective", "elastic", "rand", "rand", "hue", "saturation", "grey", "blur", "JPEG",
        "erase",
    ]  # fmt: skip
    assert "saturation 1.00" in found
    assert found[-2] == "JPEG 40"
    assert f"crop {drawn['random_crop']['width']} x {drawn['random_crop']['height']}" in found
    assert {"crop", "blur", "erase", "saturation"} <= {
        text.split(":")[0] for text in conventions(found)
    }
    assert phrases(dict.fromkeys(STEP_KEYS)) == ["unchanged"]
    assert {*drawn} >= STEP_KEYS
