"""Points go where the pixels go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imageloom import ImageDataGenerator
from imageloom._imaging.augment.steps.apply import move_mask
from imageloom._imaging.augment.steps.crop import crop
from imageloom._imaging.augment.steps.points import crop_points, move_points
from imageloom._imaging.augment.steps.remap import read_at

HEIGHT, WIDTH = 90, 120
POINTS = np.array([[30.0, 25.0], [60.0, 45.0], [85.0, 60.0]])
MOVES: dict[str, dict[str, Any]] = {
    "perspective": {"perspective": {"factor": (1, 1), "scale": 0.3}},
    "elastic": {"elastic": {"factor": (1, 1), "scale": (0.5, 1)}},
    "rand_augment": {"rand_augment": (2, 0.2)},
    "all": {"perspective": {"scale": 0.2}, "elastic": True, "rand_augment": (2, 0.15)},
}


def dot(x: float, y: float) -> np.ndarray[Any, Any]:
    """A round spot, whose centre can be found again."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8).astype(np.float32)[..., None] * 255


def moving(operations: list[Any]) -> list[Any]:
    """Those that move pixels."""
    names = ("random_shear", "random_translation", "random_rotation")
    return [operation for operation in operations if operation[0] in names]


def centre(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    weights = image[..., 0].astype(float)
    rows, columns = np.mgrid[: len(weights), : weights.shape[1]]
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


@pytest.mark.parametrize("name", MOVES)
def test_points_follow_the_pixels(name: str) -> None:
    """A picture whose pixels are their own positions shows each point's where the point went."""
    generator = ImageDataGenerator(**MOVES[name])
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    positions = np.stack((columns, rows, rows * 0), axis=-1)
    errors: list[float] = []
    for seed in range(20):
        drawn = generator.get_random_transform(positions.shape, seed)
        drawn["rand_augment"] = moving(drawn.get("rand_augment", []))
        moved = move_points(POINTS, drawn, HEIGHT, WIDTH)
        picture = generator.apply_transform(positions, drawn)
        found = read_at(picture, *np.float32(moved.T)[:, None], fill_mode="nearest")[0, :, :2]
        inside = np.all((moved > 2) & (moved < (WIDTH - 3, HEIGHT - 3)), axis=1)
        errors += np.abs(found - POINTS).max(axis=1)[inside].tolist()
    assert len(errors) > 15
    assert np.quantile(errors, 0.9) < 0.3
    assert max(errors) < 1.5  # where an elastic transform folds the picture


def test_masks_follow_the_pixels() -> None:
    """A mask of large areas is moved like the picture of it, but for blending."""
    options = MOVES["all"]
    generator = ImageDataGenerator(**options)
    mask = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    mask[20:60, 30:80] = 7
    mask[40:70, 70:100] = 200
    for seed in range(8):
        drawn = generator.get_random_transform(mask.shape, seed)
        drawn["rand_augment"] = moving(drawn["rand_augment"])
        picture = generator.apply_transform(mask.astype(np.float32), drawn)
        moved = move_mask(mask, drawn, generator._options().transform)
        assert set(np.unique(moved)) <= {0, 7, 200}
        assert np.mean(np.abs(picture - moved) > 100) < 0.01


def test_points_of_a_crop() -> None:
    window = {"top": 10, "left": 20, "height": 60, "width": 80, "size": [30, 160]}
    for x, y in POINTS:
        place = crop_points(np.array([[x, y]]), window)[0]
        assert np.abs(centre(crop(dot(x, y), window)) - place).max() < 0.05
