"""`flow_from_table`: encoded images in columns of tables, with the labels beside them."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import AUGMENTED, assert_same_batches, take
from pictures import photograph
from PIL import Image
from ray_support import needs_ray
from stand_in_tables import ArrowTable, DataSet, OnlyHere

from imageloom import (
    ArgumentTypeError,
    BadImageError,
    ImageDataGenerator,
    InvalidArgumentError,
    MissingColumnError,
    MissingFileError,
    StateMismatchError,
)
from imageloom._storage.encoded_tables import EncodedImages, table_of

COUNT = 13


def encoded(number: int) -> bytes:
    file = io.BytesIO()
    kind = ("JPEG", "PNG")[number % 2]
    Image.fromarray(photograph("coffee", 30 + number, 40, mode="RGB")).save(file, kind)
    return file.getvalue()


IMAGES = [encoded(number) for number in range(COUNT)]
LABELS = [number % 3 for number in range(COUNT)]
WEIGHTS = [number / 2 for number in range(COUNT)]
RECORDS = [
    {"image": {"bytes": image, "path": None}, "label": label, "weight": weight}
    for image, label, weight in zip(IMAGES, LABELS, WEIGHTS, strict=True)
]


def tables() -> dict[str, Any]:
    frame = pd.DataFrame({"image": IMAGES, "label": LABELS, "weight": WEIGHTS})
    return {
        "records": RECORDS,
        "arrow": ArrowTable(RECORDS),
        "only here": OnlyHere(RECORDS),
        "hugging face": DataSet(RECORDS),
        "pandas": frame,
    }


def batches(table: Any, executor: str = "serial", count: int = 5, **flow: Any) -> list[Any]:
    generator = ImageDataGenerator(executor=executor, cores=2, validation_split=0.3, **AUGMENTED)
    options = {"target_size": (16, 16), "batch_size": 4, "seed": 3, "verbose": 0}
    with generator.flow_from_table(table, **(options | flow)) as it:
        return [*take(it, count), it[1], it[0]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images in files."""
    folder = tmp_path_factory.mktemp("files")
    for number, image in enumerate(IMAGES):
        (folder / f"{number}.{('jpg', 'png')[number % 2]}").write_bytes(image)
    return folder


@pytest.mark.parametrize(
    "flow",
    [
        {},
        {"class_mode": "sparse", "subset": "training"},
        {"class_mode": None, "shard": (1, 2)},
        {"class_mode": "input"},
        {"class_mode": "raw", "y_col": "weight", "shuffle": False},
        {"class_mode": "raw", "y_col": ["label", "weight"]},
        {"weight_col": "weight", "balance": True},
    ],
    ids=str,
)
def test_batches_are_those_of_a_data_frame_of_files(flow: dict[str, Any], folder: Path) -> None:
    frame = pd.DataFrame({"image": [f"{n}.{('jpg', 'png')[n % 2]}" for n in range(COUNT)]})
    labels = [str(n) for n in LABELS]
    frame["label"] = LABELS if flow.get("class_mode") == "raw" else labels
    frame["weight"] = WEIGHTS
    generator = ImageDataGenerator(executor="serial", validation_split=0.3, **AUGMENTED)
    options = {"x_col": "image", "y_col": "label", "target_size": (16, 16), "batch_size": 4, "seed": 3}
    it = generator.flow_from_dataframe(frame, folder, **(options | {"verbose": 0} | flow))
    expected = [*take(it, 5), it[1], it[0]]
    for name, table in tables().items():
        assert_same_batches(batches(table, **flow), expected), name


@pytest.mark.parametrize("executor", ["threads", "processes", pytest.param("ray", marks=needs_ray)])
def test_all_executors_agree(executor: str, request: Any) -> None:
    if executor == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    expected = batches(RECORDS)
    for name in ("hugging face", "only here"):
        assert_same_batches(batches(tables()[name], executor), expected)


def test_classes() -> None:
    flow = ImageDataGenerator().flow_from_table
    it = flow(DataSet(RECORDS), verbose=0)
    assert it.class_indices == {"cat": 0, "dog": 1, "eel": 2}
    assert it.classes.tolist() == LABELS
    assert it.filenames[:2] == it.filepaths[:2] == ["row 0", "row 1"]
    with pytest.warns(UserWarning, match="4 records without one of the `classes` in 'label'"):
        it = flow(DataSet(RECORDS), classes=["eel", "cat"], class_mode="binary", verbose=0)
    assert it.class_indices == {"eel": 0, "cat": 1}
    assert it.filenames[:3] == ["row 0", "row 2", "row 3"]
    named = [{**record, "label": "xyz"[record["label"]]} for record in RECORDS]
    assert flow(named, verbose=0).class_indices == {"x": 0, "y": 1, "z": 2}
    several = [{**record, "label": ["a", "b"][: number % 3]} for number, record in enumerate(RECORDS)]
    x, y = next(
        ImageDataGenerator(executor="serial").flow_from_table(several, shuffle=False, verbose=0)
    )
    assert x.shape[0] == COUNT
    np.testing.assert_array_equal(y[:3], [[0, 0], [1, 0], [1, 1]])


@pytest.mark.parametrize(
    "options",
    [
        {"validation_split": 0.4, "split": "random"},
        {"validation_split": 0.4, "split": "stratified"},
        {"fold": (1, 3)},
        {"validation_split": 0.4, "groups": "group"},
        {"validation_split": 0.4, "groups": lambda name: int(name.split()[1]) // 4},
        {"validation_split": 0.4, "groups": [n // 4 for n in range(COUNT)]},
    ],
    ids=["random", "stratified", "fold", "column", "function", "list"],
)
def test_divisions_are_disjoint_and_complete(options: dict[str, Any]) -> None:
    records = [{**record, "group": number // 4} for number, record in enumerate(RECORDS)]
    generator = ImageDataGenerator(executor="serial", **options)
    parts = [
        generator.flow_from_table(records, subset=subset, verbose=0)
        for subset in ("training", "validation")
    ]
    rows = [{int(name.split()[1]) for name in part.filenames} for part in parts]
    assert min(map(len, rows)) > 0
    assert not rows[0] & rows[1]
    assert rows[0] | rows[1] == set(range(COUNT))
    if "groups" in options:
        assert not {row // 4 for row in rows[0]} & {row // 4 for row in rows[1]}
    for part in parts:
        numbers = [int(name.split()[1]) for name in part.filenames]
        assert part.classes.tolist() == [LABELS[number] for number in numbers]


def test_several_outputs() -> None:
    it = ImageDataGenerator(executor="serial").flow_from_table(
        RECORDS, y_col=["label", "weight"], class_mode="multi_output", shuffle=False, verbose=0
    )
    labels, weights = next(it)[1]
    assert (labels.tolist(), weights.tolist()) == (LABELS, WEIGHTS)


def test_paths_instead_of_bytes(folder: Path) -> None:
    records = [{**r, "image": {"bytes": None, "path": str(folder / "1.png")}} for r in RECORDS]
    same = [{**r, "image": IMAGES[1]} for r in RECORDS]
    assert_same_batches(batches(records), batches(same))


@pytest.mark.parametrize(
    ("name", "executor"),
    [("hugging face", "serial"), ("only here", "serial"), ("only here", "processes")],
)
def test_bad_records_are_named_and_replaced(name: str, executor: str) -> None:
    records = copy.deepcopy(RECORDS)
    records[1]["image"], records[2]["image"] = None, {"bytes": b"no image", "path": None}
    table = DataSet(records) if name == "hugging face" else OnlyHere(records)
    options = {"target_size": (16, 16), "shuffle": False, "verbose": 0, "batch_size": 2}
    with ImageDataGenerator(executor=executor, cores=1).flow_from_table(table, **options) as it:
        with pytest.raises(BadImageError, match="Row 1 of the table has nothing in the column 'image'"):
            next(it)
        with pytest.raises(BadImageError, match=r"'row 2' \(8 bytes\) is not an image"):
            next(it)
    generator = ImageDataGenerator(executor=executor, cores=1, on_bad_image="replace")
    with generator.flow_from_table(table, **options) as it:
        with pytest.warns(UserWarning, match="'row [12]' cannot be read and is replaced by 'row 3'"):
            (x, _), (y, _) = take(it, 2)
        np.testing.assert_array_equal(x[1], y[1])
        assert sorted(bad.filename for bad in it.bad_images) == ["row 1", "row 2"]


def test_caches_tell_tables_apart(tmp_path: Path) -> None:
    generator = ImageDataGenerator(executor="serial", cache=tmp_path / "cache")
    options = {"target_size": (16, 16), "shuffle": False, "class_mode": None, "verbose": 0}
    reverse = [{**record} for record in reversed(RECORDS)]
    found = []
    for table in (RECORDS, reverse, RECORDS):
        it = generator.flow_from_table(table, **options)
        found.append(next(it))
        it.close()
    np.testing.assert_array_equal(found[0], found[1][::-1])
    np.testing.assert_array_equal(found[0], found[2])
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2


def test_a_state_belongs_to_the_same_table() -> None:
    generator = ImageDataGenerator(executor="serial")
    options = {"target_size": (16, 16), "batch_size": 4, "seed": 1, "verbose": 0}
    it = generator.flow_from_table(RECORDS, **options)
    next(it)
    state, expected = it.state_dict(), next(it)
    again = generator.flow_from_table(ArrowTable(RECORDS), **options)
    again.load_state_dict(state)
    assert_same_batches([next(again)], [expected])
    other = generator.flow_from_table(RECORDS[::-1], **options)
    with pytest.raises(StateMismatchError, match="another stream"):
        other.load_state_dict(state)


def test_images_are_read_only_when_their_batch_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    content = EncodedImages.content
    monkeypatch.setattr(EncodedImages, "content", lambda self, n: asked.append(n) or content(self, n))
    it = ImageDataGenerator(executor="serial").flow_from_table(RECORDS, batch_size=4, verbose=0)
    asked.clear()  # what tells tables apart
    next(it)
    assert len(asked) == 4


def test_previews_and_statistics() -> None:
    generator = ImageDataGenerator(executor="serial", rotation_range=20, featurewise_center=True)
    it = generator.flow_from_table(RECORDS, target_size=(32, 32), verbose=0)
    generator.fit(it, verbose=0)
    assert generator.mean.shape == (1, 1, 3)
    assert it.preview().size[0] > 100


@pytest.mark.parametrize(
    ("table", "flow", "error", "text"),
    [
        (5, {}, ArgumentTypeError, "`table` must be a pyarrow.Table"),
        ({"image": IMAGES}, {}, ArgumentTypeError, "received a dict"),
        ("missing.parquet", {}, Exception, "missing.parquet|pyarrow"),
        (RECORDS, {"x_col": "picture"}, MissingColumnError, "no column 'picture'"),
        (RECORDS, {"y_col": "labels"}, MissingColumnError, "Did you mean y_col='label'"),
        (RECORDS, {"class_mode": "binary"}, InvalidArgumentError, "there must be 2 classes. 3"),
        (RECORDS, {"class_mode": "other"}, InvalidArgumentError, "`class_mode` must be"),
        (RECORDS, {"y_col": "weight"}, ArgumentTypeError, "record 1 has 0.5 in 'weight'"),
        (RECORDS, {"y_cols": "weight"}, ArgumentTypeError, "did you mean `y_col`"),
    ],
    ids=str,
)
def test_mistakes(table: Any, flow: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        ImageDataGenerator().flow_from_table(table, verbose=0, **flow)


def test_streams_and_dictionaries_of_data_sets() -> None:
    class Stream:
        with_format = column_names = None

    class Splits(dict[str, Any]):
        with_format = column_names = None

    for table, text in ((Stream(), "streaming=True"), (Splits(a=1), r"table\['a'\]")):
        with pytest.raises(ArgumentTypeError, match=text):
            table_of(table)


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = arrow.Table.from_pylist(RECORDS)
    parquet.write_table(table.slice(0, 5), tmp_path / "0.parquet")
    parquet.write_table(table.slice(5), tmp_path / "1.parquet", row_group_size=3)
    paths = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    for executor in ("serial", "processes"):
        assert_same_batches(batches(paths, executor), batches(RECORDS))
        assert_same_batches(batches(table, executor), batches(RECORDS))
    with pytest.raises(MissingFileError, match="There is no file"):
        table_of(tmp_path / "2.parquet")


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_parquet_by_url(executor: str, tmp_path: Path) -> None:
    """Workers open a file by its URL; those of a file system in memory get the images."""
    pa = pytest.importorskip("pyarrow")
    fsspec = pytest.importorskip("fsspec")
    from pyarrow import parquet

    table = pa.Table.from_pylist(RECORDS)
    parquet.write_table(table.slice(0, 5), tmp_path / "0.parquet", row_group_size=3)
    parquet.write_table(table.slice(5), tmp_path / "1.parquet", row_group_size=3)
    memory = fsspec.filesystem("memory")
    for name in ("0.parquet", "1.parquet"):
        memory.pipe_file(f"/tables/{name}", (tmp_path / name).read_bytes())
    expected = batches(RECORDS)
    for root in ("memory://tables", f"file://{tmp_path}"):
        urls = [f"{root}/0.parquet", f"{root}/1.parquet"]
        assert_same_batches(batches(urls, executor), expected)
        with pytest.raises(MissingFileError, match=r"There is no file '.*/2.parquet'"):
            batches(f"{root}/2.parquet")
    memory.pipe_file("/tables/3.parquet", b"no table")
    with pytest.raises(InvalidArgumentError, match="cannot be read as a Parquet file"):
        batches("memory://tables/3.parquet")
    memory.rm("/tables", recursive=True)
