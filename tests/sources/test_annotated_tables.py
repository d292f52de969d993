"""Boxes, points and masks in tables of encoded images and in shards are those of a data frame."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from box_support import GEOMETRY, SIZE, box_frame, boxes_of, corrected
from executor_support import take
from PIL import Image
from ray_support import needs_ray
from stand_in_tables import ArrowTable, DataSet, OnlyHere

from imageloom import ImageDataGenerator, InvalidArgumentError, MissingColumnError

FLOW: dict[str, Any] = {
    "target_size": SIZE,
    "color_mode": "grayscale",
    "batch_size": 4,
    "seed": 3,
    "verbose": 0,
}
MODES: dict[str, Any] = {"boxes": ["boxes", "labels"], "keypoints": "points", "image": "mask"}
MOVED = {"geometry": "corrected", **GEOMETRY}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boxes")


@pytest.fixture(scope="module")
def frame(folder: Path) -> pd.DataFrame:
    return box_frame(folder)


@pytest.fixture(scope="module")
def records(frame: pd.DataFrame, folder: Path) -> list[dict[str, Any]]:
    """The rows of the frame, with the content of each file in the place of its name."""
    return [
        {
            "image": (folder / row["filename"]).read_bytes(),
            "boxes": row["boxes"],
            "labels": row["labels"],
            "points": row["points"],
            "mask": {"bytes": (folder / row["mask"]).read_bytes(), "path": None},
        }
        for row in frame.to_dict("records")
    ]


def flat(batches: list[Any]) -> list[Any]:
    """The arrays of some batches, which may have dictionaries."""
    found: list[Any] = []
    for x, y in batches:
        found += [x, *(y.values() if isinstance(y, dict) else [y])]
    return found


def assert_same(found: list[Any], expected: list[Any]) -> None:
    for array, right in zip(flat(found), flat(expected), strict=True):
        np.testing.assert_array_equal(array, right)


def read(table: Any, mode: str, executor: str = "serial", **flow: Any) -> list[Any]:
    generator = ImageDataGenerator(executor=executor, cores=2, **MOVED)
    options = {"class_mode": mode, "y_col": MODES[mode]} | FLOW | flow
    with generator.flow_from_table(table, **options) as it:
        return [*take(it, 3), it[1], it[0]]


def of_files(frame: pd.DataFrame, folder: Path, mode: str) -> list[Any]:
    it = boxes_of(frame, folder, corrected(**MOVED), class_mode=mode, y_col=MODES[mode], shuffle=True)
    return [*take(it, 3), it[1], it[0]]


@pytest.mark.parametrize("mode", MODES)
def test_targets_are_those_of_a_data_frame(mode: str, frame: Any, folder: Path, records: Any) -> None:
    expected = of_files(frame, folder, mode)
    arrow = pytest.importorskip("pyarrow")
    plain = [{**row, "points": [list(point) for point in row["points"]]} for row in records]
    for table in (records, ArrowTable(records), OnlyHere(records), pd.DataFrame(records)):
        assert_same(read(table, mode), expected)
    assert_same(read(arrow.Table.from_pylist(plain), mode), expected)


@pytest.mark.parametrize(
    ("executor", "mode"),
    [*(("threads", mode) for mode in MODES), *(("processes", mode) for mode in ("boxes", "image"))],
)
def test_all_executors_agree(executor: str, mode: str, records: Any) -> None:
    expected = read(records, mode)
    for table in (records, OnlyHere(records))[executor == "processes" :]:
        assert_same(read(table, mode, executor), expected)


@needs_ray
@pytest.mark.long
def test_ray_agrees(frame: Any, folder: Path, records: Any, ray_on_two_cpus: Any) -> None:
    """Boxes, points and masks, of a table that stays here and of a data frame."""
    assert ray_on_two_cpus
    generator = ImageDataGenerator(executor="ray", cores=2, **MOVED)
    for mode, y_col in MODES.items():
        expected = read(records, mode)
        assert_same(read(OnlyHere(records), mode, "ray"), expected)
        options = {"class_mode": mode, "y_col": y_col, "shuffle": True}
        with boxes_of(frame, folder, generator, **options) as it:
            assert_same([*take(it, 3), it[1], it[0]], expected)


def test_records_of_hugging_face(records: Any) -> None:
    """Its data sets have a column of records, and the names of their classes."""
    numbers = {"cat": 0, "dog": 1}
    rows = [
        {
            "image": row["image"],
            "label": {
                "bbox": [[a, b, c - a, d - b] for a, b, c, d in row["boxes"]],
                "category": [numbers[name] for name in row["labels"]],
            },
        }
        for row in records
    ]
    data = DataSet(rows)
    names = type("ClassLabel", (), {"names": ["cat", "dog", "eel"]})()
    inner = type("List", (), {"feature": {"bbox": None, "category": names}})()
    data.features = {"label": inner}
    options = {"y_col": "label", "bounding_box_format": "xywh"}
    right = read(records, "boxes", bounding_box_format="xyxy")
    for (x, y), (same, expected) in zip(read(data, "boxes", **options), right, strict=True):
        np.testing.assert_array_equal(x, same)
        np.testing.assert_array_equal(y["labels"], expected["labels"])
        back = y["boxes"] + np.concatenate([0 * y["boxes"][..., :2], y["boxes"][..., :2]], axis=-1)
        np.testing.assert_allclose(back, expected["boxes"], atol=1e-4)
    it = corrected().flow_from_table(data, class_mode="boxes", **FLOW | options)
    assert it.class_indices == {"cat": 0, "dog": 1, "eel": 2}
    it = corrected().flow_from_table(data, class_mode="boxes", classes=["dog"], **FLOW | options)
    assert it.class_indices == {"dog": 0}
    assert {int(n) for _, y in take(it, 2) for n in y["labels"].ravel()} == {-1, 0}
    one_each = [
        {
            "image": row["image"],
            "objects": [
                {"bbox": box, "category": name}
                for box, name in zip(row["boxes"], row["labels"], strict=True)
            ],
        }
        for row in records
    ]
    assert_same(read(one_each, "boxes", y_col="objects"), right)


def test_columns_of_coordinates(records: Any) -> None:
    rows = [
        {"image": row["image"], **dict(zip("abcd", row["boxes"][0], strict=True)), "name": "x"}
        for row in records
    ]
    rows[2] |= dict.fromkeys("abcd")
    it = corrected().flow_from_table(rows, class_mode="boxes", y_col=[*"abcd", "name"], **FLOW)
    assert it.class_indices == {"x": 0}
    counts = [int((y["labels"] == 0).sum()) for _, y in take(it, 2)]
    assert sum(counts) == len(rows) - 1
    y = next(corrected().flow_from_table(rows[:2], class_mode="keypoints", y_col=[*"abcd"], **FLOW))[1]
    assert y.shape == (2, 2, 3)
    for mode, columns in (("boxes", ["a", "b", "c"]), ("keypoints", ["a", "b", "c"])):
        with pytest.raises(InvalidArgumentError, match="received 3 columns"):
            corrected().flow_from_table(rows, class_mode=mode, y_col=columns, **FLOW)


def test_subsets_caches_and_previews(records: Any, tmp_path: Path) -> None:
    for mode, y_col in MODES.items():
        expected = read(records, mode)
        for cache in ("memory", str(tmp_path / mode)):
            generator = ImageDataGenerator(executor="serial", cache=cache, **MOVED)
            options = {"class_mode": mode, "y_col": y_col} | FLOW
            for _ in range(2):
                with generator.flow_from_table(records, **options) as it:
                    assert_same([*take(it, 3), it[1], it[0]], expected)
        split = ImageDataGenerator(executor="serial", validation_split=0.25)
        parts = [
            split.flow_from_table(records, subset=s, **options) for s in ("training", "validation")
        ]
        assert [part.samples for part in parts] == [6, 2]
        assert next(parts[1])[0].shape[0] == 2
        plain = split.flow_from_table(records, subset="training", **options | {"class_mode": None})
        drawn, bare = (np.asarray(it.preview(samples=1, versions=2)) for it in (parts[0], plain))
        assert drawn.shape != bare.shape or (drawn != bare).any()


def test_a_mask_that_is_missing_is_a_bad_image(records: Any) -> None:
    rows = [*records[:3], {**records[3], "mask": None}]
    strict = corrected().flow_from_table(rows, class_mode="image", y_col="mask", **FLOW)
    with pytest.raises(Exception, match="Row 3 of the table has nothing in the column 'mask'"):
        next(strict)


@pytest.fixture(scope="module")
def shard(records: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shard") / "s.tar"
    with tarfile.open(path, "w") as archive:
        for number, row in enumerate(records):
            about = {name: row[name] for name in ("boxes", "labels")}
            about["points"] = [list(point) for point in row["points"]]
            mask = io.BytesIO()
            Image.open(io.BytesIO(row["mask"]["bytes"])).save(mask, "PNG")
            for suffix, content in (
                ("png", row["image"]),
                ("json", json.dumps(about).encode()),
                ("mask.png", mask.getvalue()),
            ):
                info = tarfile.TarInfo(f"{number:03}.{suffix}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("executor", "mode"), [*(("serial", mode) for mode in MODES), ("processes", "image")]
)
def test_shards(executor: str, mode: str, records: Any, shard: Path) -> None:
    pytest.importorskip("fsspec")
    expected = read(records, mode)
    generator = ImageDataGenerator(executor=executor, cores=2, **MOVED)
    columns = ["mask.png"] if mode == "image" else [MODES[mode]]
    for y_col in [*columns, *(["json"] if mode == "boxes" else [])]:
        options = {"class_mode": mode, "y_col": y_col} | FLOW
        with generator.flow_from_webdataset(shard, **options) as it:
            assert_same([*take(it, 3), it[1], it[0]], expected)


def test_what_shards_do_not_have_is_named(shard: Path) -> None:
    pytest.importorskip("fsspec")
    for mode, y_col, said in (
        ("image", "seg.png", r"no file with the suffix 'seg.png'.*'json', 'mask.png', 'png'"),
        ("boxes", "bbox", r"has no label 'bbox'.*'boxes' in its json"),
    ):
        with pytest.raises(MissingColumnError, match=said):
            corrected().flow_from_webdataset(shard, class_mode=mode, y_col=y_col, **FLOW)
