"""Data frames and arrays whose data cannot be meant are told at the call."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import run
from PIL import Image

from imageloom import ArgumentTypeError, ImageDataGenerator, InvalidArgumentError

ROWS = 30


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i in range(ROWS):
        pixels = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.jpg")
    Image.fromarray(pixels).save(folder / "picture", "PNG")
    Image.fromarray(pixels).save(folder / "picture.webp", "WEBP")
    return folder


@pytest.fixture
def frame() -> pd.DataFrame:
    """Rows in an order that is not sorted, and in which nothing is wrong."""
    rng = np.random.default_rng(2)
    columns: dict[str, Any] = {
        "filename": [f"{i}.jpg" for i in range(ROWS)],
        "id": [str(i) for i in range(ROWS)],
        "class": ["a", "b", "c"] * (ROWS // 3),
        "mask": [f"masks/{i}.PNG" for i in range(ROWS)],
        "value": rng.random(ROWS),
        "weight": np.ones(ROWS),
    }
    for name in "abc":
        columns[f"is {name}"] = [float(label == name) for label in columns["class"]]
    return pd.DataFrame(columns)


def told(frame: Any, photos: Path | None, **options: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        generator = ImageDataGenerator(executor="serial", validation_split=0.2)
        generator.flow_from_dataframe(frame, photos, target_size=(4, 4), **options).close()
    assert all(Path(w.filename) == Path(__file__) for w in caught)
    return [str(w.message) for w in caught]


def only(texts: list[str], expected: str) -> None:
    assert len(texts) == 1, texts
    assert re.search(expected, texts[0]), texts


ONE_HOT = ["is a", "is b", "is c"]
TARGETS: dict[str, dict[str, Any]] = {
    "categorical": {},
    "sparse": {"class_mode": "sparse"},
    "numbers": {"class_mode": "raw", "y_col": "value"},
    "several numbers": {"class_mode": "raw", "y_col": ["value", "weight"]},
    "one-hot": {"class_mode": "raw", "y_col": ONE_HOT},
    "names": {"class_mode": "raw", "y_col": "class"},
    "outputs": {"class_mode": "multi_output", "y_col": ["value", "is a"]},
    "one-hot outputs": {"class_mode": "multi_output", "y_col": ONE_HOT},
}


@pytest.mark.parametrize("subset", ["training", "validation"])
@pytest.mark.parametrize("targets", TARGETS)
def test_a_split_of_sorted_rows(targets: str, subset: str, photos: Path, frame: pd.DataFrame) -> None:
    options = TARGETS[targets]
    assert told(frame, photos, subset=subset, **options) == []
    column = "value" if "value" in options.get("y_col", "") else "class"
    ordered = frame.sort_values(column)
    only(told(ordered, photos, subset=subset, **options), r"validation subset.*[Ss]huffle the rows")
    only(
        told(ordered[::-1], photos, subset=subset, **options), r"validation subset.*[Ss]huffle the rows"
    )
    assert told(ordered, photos, **options) == [], "there is no split"


def test_classes_that_leave_rows_out(photos: Path, frame: pd.DataFrame) -> None:
    assert told(frame, photos, classes=["c", "b", "a"]) == []
    only(told(frame, photos, classes=["a", "b"]), r"10 of 30 rows .*row 2 with 'c'")
    only(told(frame, photos, classes=["a", "b", "c", "d"]), r"1 of 4 classes .* no rows.*'d'")
    text = r"1 of 3 classes .*'aa' \(did you mean 'a'\?\); 10 of 30 rows"
    only(told(frame, photos, classes=["aa", "b", "c"]), text)


def test_a_subset_without_rows(photos: Path, frame: pd.DataFrame) -> None:
    for options in TARGETS.values():
        only(
            told(frame[:4], photos, subset="validation", **options), r"no rows, .*=0.2 takes none of 4"
        )


def test_names_without_a_suffix(photos: Path, frame: pd.DataFrame) -> None:
    text = r"30 invalid .*first one tried is '.*photos/0': add '\.jpg'\? frame\['id'\] = "
    only(told(frame, photos, x_col="id"), text)
    only(told(frame, photos, x_col="id", validate_filenames=False), r"photos/0': add '\.jpg'\?")
    paths = frame.assign(id=[str(photos / name) for name in frame["id"]])
    only(told(paths, None, x_col="id"), r"photos/0': add '\.jpg'\?")
    with pytest.raises(
        ArgumentTypeError, match=r"row 0, which has 0 \(int\).*astype\(str\) \+ \"\.jpg\""
    ):
        told(frame.assign(id=range(ROWS)), photos, x_col="id")


@pytest.mark.parametrize(
    ("change", "expected"),
    {
        "png": (
            lambda name: name.replace("jpg", "png"),
            r"0\.png', but there is '.*0\.jpg': the suffix",
        ),
        "folder": (
            lambda name: f"photos/{name}",
            r"photos/photos/0\.jpg', .*`directory` is in the names",
        ),
        "spaces": (lambda name: f" {name}", r"but there is '.*/0\.jpg': .*spaces"),
        "other folder": (lambda name: f"old/{name}", r"names are relative to `directory`"),
        "nothing": (lambda name: f"none-{name}", r"none-0\.jpg', which does not exist"),
        "no suffix": (lambda _: "picture", r"30 of them exist, .*picture.*30 without suffix.*=False"),
        "webp": (lambda _: "picture.webp", r"30 of them exist, .*30 \.webp.*validate_filenames=False"),
    }.values(),
)
def test_names_that_are_not_found(
    change: Any, expected: str, photos: Path, frame: pd.DataFrame
) -> None:
    names = [change(name) for name in frame["filename"]]
    only(told(frame.assign(filename=names), photos, class_mode=None), expected)


def test_the_advice_for_other_suffixes_can_be_followed(photos: Path, frame: pd.DataFrame) -> None:
    generator = ImageDataGenerator(executor="serial")
    for name in ("picture", "picture.webp"):
        it = generator.flow_from_dataframe(
            frame.assign(filename=name),
            photos,
            target_size=(4, 4),
            validate_filenames=False,
            class_mode=None,
        )
        assert next(it).shape == (ROWS, 4, 4, 3)


def test_a_file_with_several_labels(photos: Path, frame: pd.DataFrame) -> None:
    again = frame.iloc[[0]].assign(**{"class": "b"}).rename(index={0: 99})
    text = r"1 file is in several rows .*'0\.jpg' with 'a' in row 0 and with 'b' in row 99.*list"
    for mode in ("categorical", "sparse"):
        only(told(pd.concat([frame, again]), photos, class_mode=mode), text)
    assert told(pd.concat([frame, frame]), photos) == [], "the same label twice"


@pytest.mark.parametrize("column", ["filename", "class", "weight"])
def test_two_columns_of_one_name(column: str, photos: Path, frame: pd.DataFrame) -> None:
    twice = pd.concat([frame, frame[[column]]], axis=1)
    with pytest.raises(InvalidArgumentError, match=rf"2 columns with the name '{column}'.*duplicated"):
        told(twice, photos, weight_col="weight")
    other = pd.concat([frame, frame[["value"]]], axis=1)
    assert told(other, photos, weight_col="weight") == [], "a column that is not used"


def test_masks_as_classes(photos: Path, frame: pd.DataFrame) -> None:
    for mode in ("categorical", "sparse"):
        only(told(frame, photos, y_col="mask", class_mode=mode), r"30 labels .*class_mode=\"image\"")
    assert told(frame, photos, y_col="mask", class_mode="raw") == []


@pytest.mark.parametrize("value", [float("nan"), None, pd.NA, float("inf")])
def test_targets_and_weights_that_are_missing(value: Any, photos: Path, frame: pd.DataFrame) -> None:
    for column, options in {
        "value": {"class_mode": "raw", "y_col": "value"},
        "is b": {"class_mode": "raw", "y_col": ONE_HOT},
        "is c": {"class_mode": "multi_output", "y_col": ["value", "is c"]},
    }.items():
        changed = frame.astype({column: object})
        changed.loc[7, column] = value
        only(told(changed, photos, **options), rf"y_col='{column}' .*1 row.*row 7, which has")
    weights = frame.copy()
    weights.loc[[3, 8], "weight"] = np.nan
    only(
        told(weights, photos, weight_col="weight"),
        r"weight_col='weight' .*2 rows.*row 3, which has nan",
    )


@pytest.mark.parametrize("mode", ["categorical", "sparse"])
@pytest.mark.parametrize("value", [float("nan"), None])
def test_labels_and_names_that_are_missing(
    value: Any, mode: str, photos: Path, frame: pd.DataFrame
) -> None:
    for column in ("class", "filename"):
        changed = frame.astype({column: object})
        changed.loc[[5, 9], column] = value
        with pytest.raises(ArgumentTypeError, match=r"2 values are not, the first in row 5.*dropna"):
            told(changed, photos, class_mode=mode)
    lists = frame.assign(**{"class": [["a"], ["b", value]] * (ROWS // 2)})
    with pytest.raises(ArgumentTypeError, match="row 1"):
        told(lists, photos)


# Arrays

X = np.zeros((ROWS, 4, 4, 3), np.uint8)
SORTED = np.repeat(np.arange(3), ROWS // 3)
MIXED = np.arange(ROWS) % 3


def told_of_arrays(y: Any, **options: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ImageDataGenerator(validation_split=0.2).flow(X[: len(y)], y, **options)
    assert all(Path(w.filename) == Path(__file__) for w in caught)
    return [str(w.message) for w in caught]


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_a_split_of_sorted_arrays(subset: str) -> None:
    one_hot = np.eye(3, dtype=np.float32)
    assert told_of_arrays(one_hot[MIXED], subset=subset) == []
    only(told_of_arrays(one_hot[SORTED], subset=subset), r"3 classes .*validation subset lacks 2")
    assert told_of_arrays(one_hot[SORTED], subset=subset, ignore_class_split=True) == []
    with pytest.raises(InvalidArgumentError, match=r"validation subset lacks 2, for example 1"):
        told_of_arrays(SORTED, subset=subset)
    rising = np.linspace(0, 1, ROWS)
    options: dict[str, Any] = {"subset": subset, "ignore_class_split": True}
    only(told_of_arrays(rising, **options), r"sorted by `y`.*0 to 0\.17.*Shuffle")
    only(told_of_arrays(np.stack([rising, 1 - rising], 1), **options), "sorted")
    assert told_of_arrays(np.random.default_rng(3).random(ROWS), **options) == []
    with pytest.raises(InvalidArgumentError, match="ignore_class_split=True"):
        told_of_arrays(np.random.default_rng(3).random(ROWS), subset=subset)


def test_missing_values_of_arrays() -> None:
    y = MIXED.astype(np.float32)
    y[4] = np.nan
    only(told_of_arrays(y), r"`y` .*1 row, the first in row 4, which has nan.*loss")
    only(told_of_arrays(y.tolist()), "row 4")
    only(told_of_arrays(np.stack([y, y], 1)), "row 4")
    with pytest.raises(InvalidArgumentError, match="row 4"):
        told_of_arrays(y, subset="training")
    weights = np.ones(ROWS)
    weights[2:4] = np.inf
    only(
        told_of_arrays(MIXED, sample_weight=weights), r"`sample_weight` .*2 rows.*row 2, which has inf"
    )
    only(told_of_arrays(np.array(["a", None] * (ROWS // 2))), "row 1, which has None")
    only(told_of_arrays(X[..., 0].astype(float) * np.nan), "30 rows")


def test_a_subset_without_images() -> None:
    with pytest.warns(UserWarning, match=r"no images, .*takes none of 4"):
        ImageDataGenerator(validation_split=0.2).flow(X[:4], subset="validation")


# The command line


def inspected(frame: pd.DataFrame, photos: Path, *options: object, status: int = 1) -> str:
    path = photos.parent / "labels.csv"
    frame.to_csv(path, index=False)
    return run("inspect", path, "--directory", photos, *options, status=status).stdout


def test_inspect_finds_it_in_tables(photos: Path, frame: pd.DataFrame) -> None:
    assert "30 images of 3 classes" in inspected(frame, photos, status=0)
    assert "Nothing unusual" in inspected(frame, photos, "--validation-split", 0.2, status=0)
    ordered = frame.sort_values("class")
    assert "lacks 2" in inspected(ordered, photos, "--validation-split", 0.2)
    assert "masks" in inspected(frame, photos, "--y-col", "mask")
    assert "astype(str)" in inspected(frame, photos, "--x-col", "id")
    named = frame.assign(filename="photo " + frame["id"])
    assert "Found 30 invalid" in inspected(named, photos)
    raw = ("--class-mode", "raw", "--y-col", "value", "--weight-col", "weight")
    assert "30 images" in inspected(frame, photos, *raw, status=0)
    frame.loc[3, ["value", "weight"]] = np.nan
    words = inspected(frame, photos, *raw)
    assert "y_col='value'" in words
    assert "weight_col='weight'" in words
    frame.loc[3, "class"] = None
    assert "row 3" in inspected(frame, photos)


def test_inspect_says_what_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"")
    assert "no table" in run("inspect", tmp_path / "a.csv", status=1).stderr
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\n1,2,3\n")
    assert run("inspect", tmp_path / "b.csv", status=1)
