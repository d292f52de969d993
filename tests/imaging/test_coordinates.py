"""Boxes and points move with the pixels of their image, in the formats of Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from box_support import extent
from hypothesis import given, settings
from hypothesis import strategies as st

from imageloom._checks.coordinates import BOX_FORMATS, KEYPOINT_FORMATS
from imageloom._imaging.augment.apply import apply_geometry
from imageloom._imaging.augment.coordinates import (
    boxes_as_given,
    corners_of,
    edges_of,
    enclosing,
    moved,
    points_as_given,
    positions_of_points,
    visible_shares,
)
from imageloom._imaging.augment.draw import default_transform
from imageloom._options import GeneratorOptions, TransformOptions

SIZE = (50, 80)


def options_of(geometry: str) -> TransformOptions:
    return GeneratorOptions(fill_mode="constant", geometry=geometry).transform


def test_formats_are_those_of_keras() -> None:
    keras = pytest.importorskip("keras")
    edges = np.array([[10, 5, 30, 45], [0, 0, 80, 50], [3.5, 2.25, 4, 9]], np.float32)
    for form in BOX_FORMATS:
        found = boxes_as_given(edges.astype(np.float64), form, SIZE)
        expected = keras.utils.bounding_boxes.convert_format(
            edges, source="xyxy", target=form, height=SIZE[0], width=SIZE[1]
        )
        np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-6)
        np.testing.assert_allclose(edges_of(found, form, SIZE), edges, rtol=1e-6)


@pytest.mark.parametrize("form", KEYPOINT_FORMATS)
def test_formats_of_points(form: str) -> None:
    points = positions_of_points(np.array([[0.5, 0.25]]), form, SIZE)
    expected = {
        "xy": (1, 0.75),
        "yx": (0.75, 1),
        "rel_xy": (40, 12.5),
        "rel_yx": (20, 25),
    }
    np.testing.assert_allclose(points, [expected[form]])
    np.testing.assert_allclose(points_as_given(points, form, SIZE), [[0.5, 0.25]])


params = st.fixed_dictionaries(
    {
        "theta": st.floats(-180, 180),
        "tx": st.floats(-15, 15),
        "ty": st.floats(-15, 15),
        "shear": st.floats(-25, 25),
        "zx": st.floats(0.6, 1.6),
        "zy": st.floats(0.6, 1.6),
        "flip_horizontal": st.booleans(),
        "flip_vertical": st.booleans(),
    }
)


@settings(max_examples=50)
@given(
    drawn=params,
    geometry=st.sampled_from(["keras", "corrected"]),
    size=st.tuples(st.integers(40, 70), st.integers(40, 70)),
    corner=st.tuples(st.integers(2, 20), st.integers(2, 20)),
    sides=st.tuples(st.integers(10, 18), st.integers(10, 18)),
)
def test_a_box_is_where_a_mask_of_its_shape_is(
    drawn: dict[str, Any],
    geometry: str,
    size: tuple[int, int],
    corner: tuple[int, int],
    sides: tuple[int, int],
) -> None:
    left, upper = corner
    edges = np.array([[left, upper, left + sides[0], upper + sides[1]]], np.float64)
    mask = np.zeros((*size, 1), np.uint8)
    mask[upper : upper + sides[1], left : left + sides[0]] = 1
    options = options_of(geometry)
    found = {**default_transform(), **drawn}
    turned = apply_geometry(mask, found, options)
    corners = moved(corners_of(edges), found, options, size)
    (box,), (share,) = enclosing(corners, size), visible_shares(corners, size)
    seen = extent(turned)
    if seen is None:
        assert share < 0.2
        return
    assert share > 0
    assert np.all(box[:2] <= np.array(seen[:2]) + 1)
    assert np.all(box[2:] >= np.array(seen[2:]) - 1)
    if share == 1:  # nothing was cut off, so the box fits closely
        np.testing.assert_allclose(box, seen, atol=1.6)
    # The pixels that are left, of those that the whole box would have.
    whole = sides[0] * sides[1] / abs(np.linalg.det(linear(found, options, size)))
    assert abs(turned.sum() / whole - share) < 0.25


def linear(found: dict[str, Any], options: TransformOptions, size: tuple[int, int]) -> Any:
    """The matrix of a transform, seen by what it does to two steps."""
    origin, right, down = moved(np.array([[0.0, 0], [1, 0], [0, 1]]), found, options, size)
    return np.linalg.inv(np.array([right - origin, down - origin]))


@settings(max_examples=60)
@given(drawn=params, point=st.tuples(st.integers(0, 49), st.integers(0, 39)))
def test_a_point_is_on_the_pixel_that_it_names(drawn: dict[str, Any], point: tuple[int, int]) -> None:
    size = (40, 50)
    options = options_of("corrected")
    found = {**default_transform(), **drawn}
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([columns, rows], axis=-1).astype(np.float32) + 1  # where each pixel comes from
    place = moved(positions_of_points(np.array([point]), "xy", size), found, options, size)[0]
    column, row = (int(np.floor(x)) for x in place)
    if 0 <= column < size[1] and 0 <= row < size[0]:
        there = apply_geometry(image, found, options)[row, column] - 1
        if there[0] >= 0:  # at the very border, the pixel may come from outside
            assert np.abs(there - point).max() <= 1.5


def test_a_share_is_that_of_the_area() -> None:
    corners = corners_of(
        np.array([[-10.0, 0, 10, 10], [0, 0, 80, 50], [80, 0, 90, 9], [-5, -5, 90, 60]])
    )
    shares = visible_shares(corners, SIZE)
    np.testing.assert_allclose(shares, [0.5, 1, 0, 80 * 50 / (95 * 65)])
    diamond = np.array([[[0, -10.0], [10, 0], [0, 10], [-10, 0]]])
    np.testing.assert_allclose(visible_shares(diamond, SIZE), [0.25])


def test_an_image_that_is_one_of_its_lines_has_nothing_to_see() -> None:
    found = {**default_transform(), "zx": 0.0}
    corners = moved(corners_of(np.array([[1.0, 2, 9, 9]])), found, options_of("keras"), SIZE)
    assert visible_shares(corners, SIZE) == [0]
