"""What the programs that watch imageloom alone do to each image."""

from __future__ import annotations

from typing import Any

AUGMENTATION: dict[str, Any] = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "zoom_range": 0.2,
    "horizontal_flip": True,
    "rescale": 1 / 255,
}
