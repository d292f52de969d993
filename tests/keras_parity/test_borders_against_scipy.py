from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import both_generators, quiet
from releases import release_of
from scipy import ndimage

from imageloom import ImageDataGenerator

LEVELS = 0.01
FILL_MODES = (
    "constant", "nearest", "reflect", "wrap", "mirror", "grid-wrap", "grid-mirror", "grid-constant"
)  # fmt: skip


def noise_image(height: int, width: int, seed: int) -> NDArray[np.float32]:
    return np.random.RandomState(seed).uniform(0, 255, (height, width, 1)).astype(np.float32)


@pytest.mark.parametrize("shift", [(0.3, -0.6), (-30.2, 21.7), (14, -14), (-5.5, 0)])
@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize(
    "fill_mode", ["constant", "nearest", "reflect", "wrap", "mirror", "grid-wrap", "grid-mirror",
                  "grid-constant"],
)  # fmt: skip
def test_fill_modes_are_those_of_scipy(fill_mode: str, order: int, shift: tuple[float, float]) -> None:
    image = noise_image(13, 13, 4)
    generator = ImageDataGenerator(fill_mode=fill_mode, cval=50, interpolation_order=order)
    mode = "grid-wrap" if fill_mode == "wrap" else fill_mode
    tx, ty = shift
    result = generator.apply_transform(image, {"tx": tx, "ty": ty})
    expected = ndimage.affine_transform(
        image[..., 0], np.eye(2), (ty, tx), order=order, mode=mode, cval=50
    )
    np.testing.assert_allclose(result[..., 0], expected, atol=LEVELS)


def awkward(seed: int) -> tuple[tuple[int, int], dict[str, Any]]:
    """A size and a transform that put many points on a border or half-way between two pixels."""
    rng = np.random.RandomState(seed)
    height, width = (int(side) for side in rng.randint(2, 40, 2))
    params = {
        "tx": rng.choice([0.5, 2.5, 3.0, -6.0, -40.5]),
        "ty": rng.choice([0.5, -1.0, rng.uniform(-7, 7)]),
        "shear": rng.choice([0, rng.uniform(-20, 20)]),
        "zx": rng.choice([1, 2, 0.5]),
        "theta": rng.choice([0, 0, 90, 180, 45]),
    }
    return (height, width), params


@pytest.mark.skipif(
    release_of("scipy") < (1, 16),
    reason="older releases of SciPy sum the terms of a position otherwise",
)
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_the_last_bit_decides_as_in_scipy(fill_mode: str, order: int) -> None:
    """What is inside, and which of two pixels is the nearest: the sums must have SciPy's order."""
    ours, theirs = both_generators(fill_mode=fill_mode, cval=-1000, interpolation_order=order)
    for seed in range(250):
        size, params = awkward(seed)
        image = noise_image(*size, seed)
        with quiet():
            expected = theirs.apply_transform(image, params)
        result = ours.apply_transform(image, params)
        # Where the border is blended with cval, float32 weighs a thousand levels.
        tolerance = 0.1 if fill_mode == "grid-constant" else LEVELS
        np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance, err_msg=str(params))
