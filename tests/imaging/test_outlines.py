"""Boxes hold what masks of their shape show after all steps that move pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from box_support import extent

from imageloom import ImageDataGenerator
from imageloom._imaging.augment.affine import warp
from imageloom._imaging.augment.coordinates import corners_of, enclosing
from imageloom._imaging.augment.outlines import outlines_moved, points_moved
from imageloom._imaging.augment.steps import rand_augment
from imageloom._imaging.augment.steps.apply import move_mask
from imageloom._imaging.augment.steps.elastic import displacements, distort_by

SIZE = (120, 150)
BOXES = np.array([[20, 10, 70, 60], [60, 50, 110, 115], [90, 5, 140, 40], [5, 70, 45, 118]], float)
ELASTIC = {"factor": (1, 1), "scale": (1, 1), "fill_mode": "constant"}
STEPS: dict[str, dict[str, Any]] = {
    "elastic": {"elastic": ELASTIC},
    "perspective": {"perspective": {"factor": (1, 1), "scale": 0.4}},
    "perspective of Keras' default": {"perspective": True},
    "rotation": {"rotation_range": 90, "shear_range": 20, "zoom_range": 0.3},
    "rand_augment": {"rand_augment": (2, 0.5)},
    "all": {
        "rotation_range": 40,
        "width_shift_range": 0.2,
        "perspective": {"scale": 0.3},
        "elastic": ELASTIC,
        "rand_augment": (2, 0.3),
        "horizontal_flip": True,
    },
}  # fmt: skip
MOVES = ("random_shear", "random_translation", "random_rotation")


def overlap(a: Any, b: Any) -> float:
    """Intersection over union."""

    def area(box: Any) -> float:
        return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])

    both = area([*np.maximum(a[:2], b[:2]), *np.minimum(a[2:], b[2:])])
    return both / (area(a) + area(b) - both)


@pytest.fixture(autouse=True)
def no_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `rand_augment` mirrors at the border shows things again, which have no boxes."""

    def constant(*args: Any, fill_mode: str, **options: Any) -> Any:
        assert fill_mode == "reflect"
        return warp(*args, fill_mode="constant", cval=0, **options)

    monkeypatch.setattr(rand_augment, "warp", constant)


def mask_of(box: Any, size: tuple[int, int] = SIZE) -> np.ndarray[Any, Any]:
    left, upper, right, lower = map(int, box)
    mask = np.zeros((*size, 1), np.uint8)
    mask[upper:lower, left:right] = 1
    return mask


def drawn_by(generator: ImageDataGenerator, seed: int) -> dict[str, Any]:
    drawn = generator.get_random_transform((*SIZE, 1), seed)
    drawn["rand_augment"] = [one for one in drawn.get("rand_augment", []) if one[0] in MOVES]
    return drawn


@pytest.mark.parametrize("name", STEPS)
def test_boxes_are_where_masks_of_their_shape_are(name: str) -> None:
    generator = ImageDataGenerator(fill_mode="constant", geometry="corrected", **STEPS[name])
    options = generator._options().transform
    overlaps, lost = [], 0
    for seed in range(20):
        drawn = drawn_by(generator, seed)
        outlines, shares = outlines_moved(corners_of(BOXES), drawn, options, SIZE)
        for box, share, found in zip(BOXES, shares, enclosing(outlines, SIZE), strict=True):
            mask = move_mask(mask_of(box), drawn, options)
            there = extent(mask)
            if there is None or mask.sum() < 400:
                lost += 1
                continue
            assert share > 0
            overlaps.append(overlap(found, np.array(there, float)))
    assert lost < 15
    assert np.quantile(overlaps, 0.1) > 0.9
    assert min(overlaps) > 0.6


def test_the_share_that_is_seen_is_that_of_the_area() -> None:
    """Shifts lose a part for good, and what an elastic transform takes over the border is lost."""
    generator = ImageDataGenerator(elastic=ELASTIC, geometry="corrected", fill_mode="constant")
    options = generator._options().transform
    box = np.array([[0.0, 0, 60, 50]])
    for seed in range(6):
        drawn = drawn_by(generator, seed) | {"tx": 25.0, "ty": 0.0}
        _, shares = outlines_moved(corners_of(box), drawn, options, SIZE)
        framed = np.pad(mask_of(box[0])[:, 25:], ((0, 0), (0, 25), (0, 0)))  # what the shift has left
        across, down = displacements(drawn["elastic"], *SIZE)
        margin = int(max(np.abs(across).max(), np.abs(down).max())) + 1
        wide = [np.pad(field, margin, mode="edge") for field in (across, down)]
        whole = distort_by(
            np.pad(framed, ((margin, margin), (margin, margin), (0, 0))),
            *wide,
            fill_mode="constant",
            fill_value=0,
            nearest=True,
        )
        seen = move_mask(framed, {"elastic": drawn["elastic"]}, options)
        assert shares[0] == pytest.approx(35 / 60 * seen.sum() / whole.sum(), abs=0.02)


def test_no_step_brings_back_what_another_has_lost() -> None:
    """A shift takes a box and a point over the border, and a translation would move them back."""
    options = ImageDataGenerator(geometry="corrected", fill_mode="constant")._options().transform
    drawn = {"tx": 60.0, "ty": 0.0, "rand_augment": [("random_translation", 60 / SIZE[1], 0.0)]}
    outlines, shares = outlines_moved(corners_of(BOXES[:2]), drawn, options, SIZE)
    points, seen = points_moved(np.array([[[15.5, 20.5]], [[80.5, 60.5]]]), drawn, options, SIZE)
    assert shares.tolist() == pytest.approx([0.2, 1.0])
    assert enclosing(outlines, SIZE)[0].tolist() == pytest.approx([60, 10, 70, 60])
    assert seen.tolist() == [0, 1]
    np.testing.assert_allclose(points[1, 0], [80.5, 60.5])


def test_nothing_is_left_of_what_no_pixel_shows() -> None:
    options = ImageDataGenerator()._options().transform
    for step in ({"perspective": [[0.2, 0.1]] * 4}, {"elastic": {"scale": 0.5, "seed": 3}}):
        far = corners_of(np.array([[500.0, 500, 600, 600], [20, 20, 20, 40], [30, 30, 30.2, 30.3]]))
        outlines, shares = outlines_moved(far, step, options, SIZE)
        assert shares[:2].tolist() == [0, 0]
        assert shares[2] == pytest.approx(1)
        assert np.ptp(outlines[2], axis=0).max() < 1
        assert outlines_moved(far[:0], step, options, SIZE)[0].shape[0] == 0
