"""class_mode="boxes" and "keypoints": coordinates follow their image through all of the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from box_support import GEOMETRY, SIZE, box_frame, boxes_of, corrected, extent
from executor_support import take
from ray_support import needs_ray

from imageloom import ImageDataGenerator, InvalidArgumentError
from imageloom._imaging.augment.coordinates import boxes_as_given, edges_of

MOVED = {"geometry": "corrected", **GEOMETRY}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boxes")


@pytest.fixture(scope="module")
def frame(folder: Path) -> pd.DataFrame:
    return box_frame(folder)


@pytest.mark.filterwarnings("ignore:Keras exchanges two axes")
@pytest.mark.parametrize("geometry", ["keras", "corrected"])
@pytest.mark.parametrize("keep", [False, True])
def test_boxes_are_where_masks_of_their_shape_are(
    geometry: str, keep: bool, frame: pd.DataFrame, folder: Path
) -> None:
    generator = corrected(**GEOMETRY | {"geometry": geometry})
    with_boxes = take(boxes_of(frame, folder, generator, keep_aspect_ratio=keep), 6)
    masks = boxes_of(frame, folder, generator, keep_aspect_ratio=keep, y_col="mask", class_mode="image")
    seen = 0
    for (x, y), (same, mask) in zip(with_boxes, take(masks, 6), strict=True):
        np.testing.assert_array_equal(x, same)
        for box, label, turned in zip(y["boxes"], y["labels"], mask, strict=True):
            there = extent(turned)
            if there is None:
                continue
            seen += 1
            assert label[0] == 0
            assert np.all(box[0, :2] <= np.array(there[:2]) + 1.6)
            assert np.all(box[0, 2:] >= np.array(there[2:]) - 1.6)
            if min(there[:2]) > 0 and there[2] < SIZE[1] and there[3] < SIZE[0]:
                np.testing.assert_allclose(box[0], there, atol=1.6)
    assert seen > 15


def test_batches_have_room_for_the_most_boxes_as_in_keras(frame: pd.DataFrame, folder: Path) -> None:
    _, y = next(boxes_of(frame, folder))
    assert list(y) == ["boxes", "labels"]
    assert (y["boxes"].shape, y["boxes"].dtype) == ((4, 3, 4), np.float32)
    assert (y["labels"].shape, y["labels"].dtype) == ((4, 3), np.int32)
    assert y["labels"].tolist() == [[0, -1, -1], [0, 1, -1], [0, 1, 0], [0, -1, -1]]
    assert not y["boxes"][0, 1:].any()
    height, width = frame["size"][2]
    scale = np.array([SIZE[1] / width, SIZE[0] / height] * 2)
    np.testing.assert_allclose(y["boxes"][2], np.array(frame.boxes[2]) * scale, rtol=1e-5)
    more = next(boxes_of(frame, folder, max_boxes=7))[1]
    assert more["boxes"].shape == (4, 7, 4)
    assert boxes_of(frame, folder).class_indices == {"cat": 0, "dog": 1}


@pytest.mark.parametrize("form", ["rel_yxyx", "center_xywh", "REL_XYXY"])
def test_boxes_are_handed_out_in_the_format_in_which_they_are_given(
    form: str, frame: pd.DataFrame, folder: Path
) -> None:
    other = frame.assign(
        boxes=[
            boxes_as_given(np.array(boxes, np.float64), form.lower(), size).tolist()
            for boxes, size in zip(frame.boxes, frame["size"], strict=True)
        ]
    )
    expected = next(boxes_of(frame, folder, corrected(**GEOMETRY)))[1]
    found = next(boxes_of(other, folder, corrected(**GEOMETRY), bounding_box_format=form))[1]
    there = expected["labels"] >= 0
    np.testing.assert_array_equal(found["labels"], expected["labels"])
    back = edges_of(found["boxes"][there], form.lower(), SIZE)
    np.testing.assert_allclose(back, expected["boxes"][there], atol=1e-3)


@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize("mode", ["boxes", "keypoints"])
def test_every_executor_gives_the_same(
    executor: str, mode: str, frame: pd.DataFrame, folder: Path
) -> None:
    y_col: Any = "points" if mode == "keypoints" else ["boxes", "labels"]
    options: dict[str, Any] = {"class_mode": mode, "y_col": y_col, "shuffle": True}
    expected = take(boxes_of(frame, folder, corrected(**GEOMETRY), **options), 5)
    generator = ImageDataGenerator(executor=executor, cores=2, **MOVED)
    with boxes_of(frame, folder, generator, **options) as it:
        found = take(it, 2)
        state = it.state_dict()
    with boxes_of(frame, folder, generator, **options) as it:
        it.load_state_dict(state)
        found += take(it, 2)
        assert_same(found, expected[:4])
        assert_same([it[0]], expected[4:])


@needs_ray
@pytest.mark.long
@pytest.mark.usefixtures("ray_on_two_cpus")
def test_a_cluster_gives_the_same(frame: pd.DataFrame, folder: Path) -> None:
    """With all that moves boxes, some that are left out, and a state half-way."""
    given = frame.assign(boxes=[[[0.1, 0.1, 0.5, 0.6], [0.4, 0.2, 0.9, 0.8]]] * len(frame))
    given["labels"] = [["cat", "dog"]] * len(frame)
    options: dict[str, Any] = {"bounding_box_format": "rel_yxyx", "min_visibility": 0.4}
    options |= {"keep_aspect_ratio": True, "shuffle": True}
    steps: dict[str, Any] = {**MOVED, "random_crop": {"scale": (0.5, 1.0)}, "perspective": True}
    serial = ImageDataGenerator(executor="serial", **steps)
    expected = take(boxes_of(given, folder, serial, **options), 6)
    assert any((y["labels"] < 0).any() for _, y in expected)
    generator = ImageDataGenerator(executor="ray", **steps)
    with boxes_of(given, folder, generator, **options) as it:
        found = take(it, 3)
        state = it.state_dict()
    with boxes_of(given, folder, generator, **options) as it:
        it.load_state_dict(state)
        assert_same(found + take(it, 3), expected)


def assert_same(found: Any, expected: Any) -> None:
    for (x, y), (other, targets) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, other)
        named = y if isinstance(y, dict) else {"": y}
        for key, value in (targets if isinstance(targets, dict) else {"": targets}).items():
            np.testing.assert_array_equal(named[key], value)


def test_what_keras_draws_stays_what_it_was(frame: pd.DataFrame, folder: Path) -> None:
    generator = corrected(**GEOMETRY)
    plain = take(boxes_of(frame, folder, generator, class_mode=None), 4)
    for (x, _), expected in zip(take(boxes_of(frame, folder, generator), 4), plain, strict=True):
        np.testing.assert_array_equal(x, expected)


def test_points_follow_with_their_visibility(frame: pd.DataFrame, folder: Path) -> None:
    points = boxes_of(frame, folder, corrected(**GEOMETRY), y_col="points", class_mode="keypoints")
    masks = boxes_of(frame, folder, corrected(**GEOMETRY), y_col="mask", class_mode="image")
    visible = 0
    for (_, y), (_, mask) in zip(take(points, 6), take(masks, 6), strict=True):
        assert (y.shape, y.dtype) == ((4, 2, 3), np.float32)
        for places, turned in zip(y, mask, strict=True):
            for x, row, seen in places:
                assert -0.5 <= x <= SIZE[1]
                assert -0.5 <= row <= SIZE[0]
                if seen:
                    visible += 1
                    near = turned[
                        max(0, round(row) - 2) : round(row) + 3, max(0, round(x) - 2) : round(x) + 3
                    ]
                    assert near.any(), "a corner of the white rectangle"
    assert 24 < visible < 48


def test_a_point_that_was_hidden_stays_so(frame: pd.DataFrame, folder: Path) -> None:
    given = frame.assign(points=[[(1, 2, 2), (3, 4, 0), (float("nan"),) * 3]] * len(frame))
    y = next(boxes_of(given, folder, y_col="points", class_mode="keypoints"))[1]
    assert y[..., 2].tolist() == [[1, 0, 0]] * 4
    columns = frame.assign(x1=1.0, y1=2.0, x2=np.nan, y2=np.nan)
    names = ["x1", "y1", "x2", "y2"]
    y = next(boxes_of(columns, folder, y_col=names, class_mode="keypoints"))[1]
    assert y[..., 2].tolist() == [[1, 0]] * 4


def test_boxes_that_can_hardly_be_seen_are_left_out(folder: Path, frame: pd.DataFrame) -> None:
    x = np.zeros((1, 20, 20, 1), np.uint8)
    boxes = [[[0, 0, 10, 10], [12, 2, 18, 8], [10, 0, 20, 4]]]
    moved = ImageDataGenerator(executor="serial", geometry="corrected", width_shift_range=[5])

    def kept(share: float) -> set[int]:
        it = moved.flow(
            x, {"boxes": boxes, "labels": [[5, 6, 7]]}, class_mode="boxes", min_visibility=share, seed=1
        )
        labels = next(it)[1]["labels"][0]
        return set(labels[labels >= 0].tolist())

    assert kept(0) == {5, 6, 7}
    assert kept(0.5) in ({5, 6, 7}, {5, 7})
    assert kept(1) < {5, 6, 7}


def test_the_cache_knows_the_size_in_the_file(
    frame: pd.DataFrame, folder: Path, tmp_path: Path
) -> None:
    expected = take(boxes_of(frame, folder, corrected(**GEOMETRY)), 4)
    for _ in range(2):  # the second one begins with a full cache
        generator = corrected(**GEOMETRY, cache=str(tmp_path))
        with boxes_of(frame, folder, generator) as it:
            assert_same(take(it, 4), expected)


def test_boxes_follow_the_replacement_of_an_image(frame: pd.DataFrame, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no image")
    given = frame.copy()
    given.loc[0, "filename"] = "bad.png"
    generator = corrected(on_bad_image="replace")
    with pytest.warns(UserWarning, match="bad.png"):
        x, y = next(boxes_of(given, folder, generator))
    np.testing.assert_array_equal(x[0], x[1])
    np.testing.assert_array_equal(y["boxes"][0], y["boxes"][1])


def test_shards_and_subsets_have_the_same_shape(frame: pd.DataFrame, folder: Path) -> None:
    whole = take(boxes_of(frame, folder, batch_size=2), 4)
    for number in range(2):
        part = boxes_of(frame, folder, batch_size=2, shard=(number, 2))
        assert_same(take(part, 2), whole[number::2])
    few = ImageDataGenerator(executor="serial", validation_split=0.125)
    for subset in ("training", "validation"):
        it = boxes_of(frame, folder, few, subset=subset)
        assert next(it)[1]["boxes"].shape[1:] == (3, 4)
        assert it.samples == (1 if subset == "validation" else 7)


def test_channels_first_and_small_dtypes(frame: pd.DataFrame, folder: Path) -> None:
    expected = next(boxes_of(frame, folder, corrected(**GEOMETRY)))[1]
    for options in ({"data_format": "channels_first"}, {"dtype": "float16"}, {"dtype": "uint8"}):
        y = next(boxes_of(frame, folder, corrected(**GEOMETRY, **options)))[1]
        np.testing.assert_allclose(y["boxes"], expected["boxes"], atol=1e-4)


def test_boxes_of_arrays(frame: pd.DataFrame, folder: Path) -> None:
    x = np.zeros((3, 40, 50, 1), np.uint8)
    boxes = [[[1, 2, 11, 12]], [], [[5, 5, 9, 9], [20, 20, 40, 30]]]
    padded = np.zeros((3, 2, 4))
    labels = np.full((3, 2), -1)
    for number, few in enumerate(boxes):
        padded[number, : len(few)] = np.reshape(few, (-1, 4))
        labels[number, : len(few)] = 4
    generator = ImageDataGenerator(executor="serial", horizontal_flip=True)
    options: dict[str, Any] = {"class_mode": "boxes", "seed": 2, "shuffle": False}
    forms: list[Any] = [
        {"boxes": padded, "labels": labels},
        {"boxes": boxes, "labels": [[4], [], [4, 4]]},
        [{"boxes": few, "labels": [4] * len(few)} for few in boxes],
    ]
    first, *others = [next(generator.flow(x, y, **options)) for y in forms]
    for other in others:
        assert_same([other], [first])
    assert first[1]["labels"].tolist() == [[4, -1], [-1, -1], [4, 4]]
    flips = first[1]["boxes"][0, 0].tolist()
    assert flips in ([1, 2, 11, 12], [39, 2, 49, 12])
    unlabelled = next(generator.flow(x, boxes, **options))[1]
    assert unlabelled["labels"].tolist() == [[0, -1], [-1, -1], [0, 0]]
    points = np.arange(12.0).reshape(3, 2, 2)
    y = next(generator.flow(x, points, class_mode="keypoints", seed=2, shuffle=False))[1]
    assert y.shape == (3, 2, 3)
    assert y[..., 2].all()
    weighted = generator.flow(x, boxes, sample_weight=[1, 2, 3], **options)
    assert next(weighted)[2].tolist() == [1, 2, 3]


def test_an_overridden_method_that_hides_its_numbers_is_refused(
    frame: pd.DataFrame, folder: Path
) -> None:
    class Own(ImageDataGenerator):
        def random_transform(self, x: Any, seed: int | None = None) -> Any:
            return x

    with pytest.raises(InvalidArgumentError, match=r'class_mode="boxes" transforms boxes'):
        next(boxes_of(frame, folder, Own(executor="serial")))


def test_statistics_need_no_boxes(frame: pd.DataFrame, folder: Path) -> None:
    generator = ImageDataGenerator(executor="serial", featurewise_center=True)
    generator.fit(boxes_of(frame, folder, generator))
    assert generator.mean is not None


def test_classes_are_for_single_labels(frame: pd.DataFrame, folder: Path) -> None:
    for call in (
        lambda: boxes_of(frame, folder, balance=True, shuffle=True),
        lambda: boxes_of(frame, folder).class_weights(),
    ):
        with pytest.raises(InvalidArgumentError, match="exactly one class"):
            call()
