"""Images and options for tests of what moves pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GEOMETRY: dict[str, Any] = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 8,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}


def noise(height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.uint8]:
    """The worst case: neighbours differ by up to 255."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
