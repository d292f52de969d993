"""The forms in which tables have boxes and points, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imageloom import (
    ArgumentTypeError,
    ImageDataGenerator,
    InvalidArgumentError,
    MissingColumnError,
    StateMismatchError,
)

SIZE = (20, 30)
BOXES = [[[1, 2, 11, 12], [3, 4, 9, 10]], [[5, 5, 15, 20]], []]
LABELS = [["cat", "dog"], ["dog"], []]
NAMES = ["0.png", "1.png", "2.png"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boxes")
    for name in NAMES:
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(folder / name)
    return folder


def flow(folder: Path, frame: pd.DataFrame, **options: Any) -> Any:
    usual: dict[str, Any] = {
        "class_mode": "boxes",
        "y_col": "boxes",
        "target_size": SIZE,
        "shuffle": False,
        "verbose": 0,
    }
    generator = ImageDataGenerator(executor="serial")
    return generator.flow_from_dataframe(frame, str(folder), **(usual | options))


def targets(folder: Path, frame: pd.DataFrame, **options: Any) -> Any:
    return next(flow(folder, frame, **options))[1]


def one_row_each() -> pd.DataFrame:
    """A row for each box, and one without for the image that has none."""
    rows: list[tuple[Any, ...]] = [
        (name, *box, label)
        for name, boxes, labels in zip(NAMES, BOXES, LABELS, strict=True)
        for box, label in zip(boxes, labels, strict=True)
    ]
    rows.append(("2.png", *[np.nan] * 4, None))
    return pd.DataFrame(rows, columns=["filename", "xmin", "ymin", "xmax", "ymax", "label"])


LISTS = pd.DataFrame({"filename": NAMES, "boxes": BOXES, "labels": LABELS})
COLUMNS = ["xmin", "ymin", "xmax", "ymax", "label"]


def test_all_forms_give_the_same(folder: Path) -> None:
    expected = targets(folder, LISTS, y_col=["boxes", "labels"])
    assert expected["labels"].tolist() == [[0, 1], [1, -1], [-1, -1]]
    assert expected["boxes"][0].tolist() == BOXES[0]
    mixed = one_row_each().iloc[[0, 2, 1, 3]]  # the boxes of an image need not be neighbours
    as_text = LISTS.assign(boxes=[str(b) for b in BOXES], labels=[str(one) for one in LABELS])
    in_one = pd.DataFrame(
        {
            "filename": NAMES,
            "boxes": [{"boxes": b, "labels": c} for b, c in zip(BOXES, LABELS, strict=True)],
        }
    )
    strings = one_row_each().assign(  # as in tables of competitions
        boxes=[
            str(row) if not np.isnan(row[0]) else None
            for row in one_row_each()[COLUMNS[:4]].values.tolist()
        ]
    )
    for frame, y_col in (
        (one_row_each(), COLUMNS),
        (mixed, COLUMNS),
        (as_text, ["boxes", "labels"]),
        (in_one, "boxes"),
        (strings, ["boxes", "label"]),
    ):
        found = targets(folder, frame, y_col=y_col)
        np.testing.assert_array_equal(found["boxes"], expected["boxes"])
        np.testing.assert_array_equal(found["labels"], expected["labels"])


def test_labels_may_be_numbers_or_missing(folder: Path) -> None:
    numbers = LISTS.assign(labels=[[7, 0], [3], []])
    assert targets(folder, numbers, y_col=["boxes", "labels"])["labels"][0].tolist() == [7, 0]
    assert targets(folder, LISTS)["labels"].tolist() == [[0, 0], [0, -1], [-1, -1]]
    with pytest.raises(AttributeError):
        _ = ImageDataGenerator().flow(np.zeros((1, 4, 4, 3)), [[]], class_mode="boxes").class_indices


def test_classes_choose_boxes_and_not_images(folder: Path) -> None:
    it = flow(folder, LISTS, y_col=["boxes", "labels"], classes=["dog"])
    assert it.class_indices == {"dog": 0}
    assert it.samples == 3
    assert next(it)[1]["labels"].tolist() == [[0], [0], [-1]]


def test_weights_are_those_of_images(folder: Path) -> None:
    frame = one_row_each().assign(weight=[1.0, 1.0, 2.0, 3.0])
    batch = next(flow(folder, frame, y_col=COLUMNS, weight_col="weight"))
    assert batch[2].tolist() == [1, 2, 3]
    with pytest.raises(InvalidArgumentError, match=r"'0\.png' have different ones"):
        flow(folder, frame.assign(weight=[1, 2, 3, 4]), y_col=COLUMNS, weight_col="weight")


def test_an_iterator_says_what_it_has(folder: Path) -> None:
    it = flow(folder, LISTS, y_col=["boxes", "labels"])
    assert "3 images with boxes of 2 classes" in repr(it)
    other = flow(
        folder, LISTS.assign(boxes=[[[1, 2, 3, 4]] * 2, *BOXES[1:]]), y_col=["boxes", "labels"]
    )
    with pytest.raises(StateMismatchError, match="coordinates was"):
        other.load_state_dict(it.state_dict())
    it.class_mode = None
    assert isinstance(next(it), np.ndarray)
    it.class_mode = "boxes"
    assert "boxes" in next(it)[1]
    with pytest.raises(InvalidArgumentError, match="columns of coordinates"):
        it.class_mode = "keypoints"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bounding_box_format": "xxyy"}, "Did you mean 'xyxy'|'xyxy', 'yxyx'"),
        ({"bounding_box_format": "CXCYWH"}, "Did you mean 'center_xywh'"),
        ({"bounding_box_format": "coco"}, "Did you mean 'xywh'"),
        ({"bounding_box_format": "yolo"}, "Did you mean 'rel_center_xywh'"),
        ({"bounding_box_format": "pascal_voc"}, "Did you mean 'xyxy'"),
        ({"bounding_box_format": "albumentations"}, "Did you mean 'rel_xyxy'"),
        ({"keypoint_format": "xyz", "class_mode": "keypoints"}, "`keypoint_format` must be 'xy'"),
        ({"max_boxes": 1}, r"`max_boxes` is 1, but '0\.png' has 2 boxes.*max_boxes=2"),
        ({"max_boxes": 0}, "at least 1"),
        ({"min_visibility": 1.5}, "in 0..1"),
        ({"bounding_box_format": "rel_xyxy"}, "in shares of the image's sides, but .* in pixels"),
        ({"y_col": ["boxes"] * 3}, "received 3 columns"),
        ({"y_col": "points", "class_mode": "keypoints"}, r"'1\.png' are 1, but '0\.png' has 2"),
        ({"y_col": ["boxes", "few"]}, r"'0\.png' has 2 boxes but 1 labels"),
        ({"y_col": "negative"}, 'negative width or height .* Did you mean "xywh"'),
        ({"y_col": "small"}, "counts in pixels, but all coordinates are in 0..1"),
        ({"y_col": "three"}, r"four numbers each; received an array of shape \(1, 3\)"),
        ({"y_col": "some"}, "NaN among their numbers"),
        ({"y_col": "infinite"}, "finite"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(
    changes: dict[str, Any], words: str, folder: Path
) -> None:
    frame = LISTS.assign(
        points=[[(1, 1), (2, 2)], [(1, 1)], [(1, 1), (2, 2)]],
        few=[[1], [1], []],
        negative=[[[5, 5, 3, 9]]] * 3,
        small=[[[0.1, 0.2, 0.5, 0.6]]] * 3,
        three=[[[1, 2, 3]]] * 3,
        some=[[[1, 2, np.nan, 4]]] * 3,
        infinite=[[[1, 2, np.inf, 4]]] * 3,
    )
    with pytest.raises(InvalidArgumentError, match=words):
        flow(folder, frame, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_boxes": 2.0}, "whole number"),
        ({"min_visibility": "0.5"}, "must be a share"),
        ({"y_col": "labels"}, "must be lists of numbers"),
        ({"y_col": ["boxes", "mixed"]}, "whole numbers, or all of them names"),
        ({"y_col": ["boxes", "other", "labels", "mixed"]}, "must be numbers, one coordinate each"),
    ],
)
def test_other_types_are_refused_at_once(changes: dict[str, Any], words: str, folder: Path) -> None:
    frame = LISTS.assign(mixed=[["cat", 1], ["dog"], []], other=1)
    with pytest.raises(ArgumentTypeError, match=words):
        flow(folder, frame, **changes)


def test_arrays_are_refused_likewise() -> None:
    generator, x = ImageDataGenerator(executor="serial"), np.zeros((2, 8, 8, 3), np.uint8)
    with pytest.raises(InvalidArgumentError, match="`x` has 2 images, but `y` has 1 rows"):
        generator.flow(x, [[]], class_mode="boxes")
    with pytest.raises(ArgumentTypeError, match='must have a key "boxes"'):
        generator.flow(x, {"labels": []}, class_mode="boxes")
    with pytest.raises(ArgumentTypeError, match="must be a list with the boxes of each image"):
        generator.flow(x, None, class_mode="boxes")
    with pytest.raises(InvalidArgumentError, match="'boxes'"):
        generator.flow(x, [[], []], class_mode="box")  # type: ignore[call-overload]


def test_a_missing_column_is_named(folder: Path) -> None:
    with pytest.raises(MissingColumnError, match="no column 'bboxes'"):
        flow(folder, LISTS, y_col="bboxes")
