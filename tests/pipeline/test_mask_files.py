"""The files of masks: of every kind, of other sizes, missing and broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import take
from mask_support import GEOMETRY, SAMPLES, SIDE, Pixels, beside, open_frame, serial
from PIL import Image

from imageloom import BadImageError, ImageDataGenerator

# Kinds of files

LEVELS = np.kron(np.arange(16).reshape(4, 4), np.ones((8, 8), int))


def grey(levels: Pixels, channels: int) -> Pixels:
    return np.repeat(levels[..., None], channels, axis=2).astype(np.uint8)


# name -> what is saved, and the numbers it stands for
KINDS: dict[str, tuple[Pixels, Pixels]] = {
    "grey.png": (LEVELS.astype(np.uint8), LEVELS),
    "bit.png": (LEVELS > 7, 255 * (LEVELS > 7)),
    "wide.png": ((4000 * LEVELS).astype(np.uint16), 4000 * LEVELS),
    "wide.tif": ((4000 * LEVELS).astype(np.uint16), 4000 * LEVELS),
    "wider.tif": ((400_000 * LEVELS).astype(np.int32), 400_000 * LEVELS),
    "float.tif": ((LEVELS / 4).astype(np.float32), LEVELS / 4),
    "rgb.png": (grey(16 * LEVELS, 3), 16 * LEVELS),
    "rgb.bmp": (grey(16 * LEVELS, 3), 16 * LEVELS),
    "rgba.png": (np.dstack([grey(16 * LEVELS, 3), 255 - grey(LEVELS, 1)]), 16 * LEVELS),
    "alpha.png": (np.dstack([grey(16 * LEVELS, 1), 255 - grey(LEVELS, 1)]), 16 * LEVELS),
    "flat.npy": (LEVELS, LEVELS),
    "array.npy": (LEVELS[..., None] / 3, LEVELS / 3),
}


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("name", KINDS)
def test_masks_are_the_numbers_in_their_files(
    name: str, data_format: str, pairs: pd.DataFrame, tmp_path: Path
) -> None:
    content, numbers = KINDS[name]
    if name.endswith(".npy"):
        first = data_format == "channels_first" and content.ndim == 3
        np.save(tmp_path / name, np.moveaxis(content, -1, 0) if first else content)
    else:
        Image.fromarray(content).save(tmp_path / name)
    options: dict[str, Any] = {"y_col": "labels", "validate_filenames": False}
    frame = beside(pairs, tmp_path / name)
    y = next(open_frame(frame, serial(data_format=data_format), **options))[1]
    assert y.dtype == (np.uint8 if content.dtype == bool else content.dtype), "as it is stored"
    np.testing.assert_array_equal(y[1].squeeze(), numbers.astype(y.dtype))
    turned = next(open_frame(frame, serial(data_format=data_format, **GEOMETRY), **options))[1]
    assert set(np.unique(turned)) <= set(np.unique(y))
    assert (turned[1] != y[1]).any()


def test_a_mask_in_colours_gives_its_grey_levels(pairs: pd.DataFrame, tmp_path: Path) -> None:
    Image.fromarray(np.dstack([LEVELS, LEVELS, LEVELS // 2]).astype(np.uint8)).save(tmp_path / "c.png")
    it = open_frame(beside(pairs, tmp_path / "c.png"), serial(), y_col="labels")
    y = next(it)[1]
    with Image.open(tmp_path / "c.png") as image:
        np.testing.assert_array_equal(y[1].squeeze(), np.asarray(image.convert("L")))


def test_a_mask_of_another_size_is_resized_as_its_image(pairs: pd.DataFrame, tmp_path: Path) -> None:
    """Each comes to the target's size by itself, so that they lie upon each other again."""
    rows = []
    for name in pairs["image"]:
        double = np.kron(np.asarray(Image.open(name)), np.ones((2, 2), np.uint8))
        Image.fromarray(double).save(tmp_path / Path(name).name)
        rows.append(str(tmp_path / Path(name).name))
    it = open_frame(
        pairs.assign(labels=rows), serial(**GEOMETRY, interpolation_order=0), y_col="labels"
    )
    for x, y in take(it, 4):
        np.testing.assert_array_equal(x, y)


def test_masks_of_another_size_are_told(pairs: pd.DataFrame, tmp_path: Path) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "small.png")
    frame = pairs.assign(labels=str(tmp_path / "small.png"))
    it = open_frame(frame, serial(), y_col="labels", interpolation=None, target_size=(SIDE, SIDE))
    with pytest.raises(ValueError, match="mask has shape"):
        next(it)


def test_masks_of_a_column_are_stored_alike(pairs: pd.DataFrame, tmp_path: Path) -> None:
    Image.fromarray((4000 * LEVELS).astype(np.uint16)).save(tmp_path / "wide.png")
    frame = pairs.copy()
    frame.loc[1, "labels"] = str(tmp_path / "wide.png")
    with pytest.raises(BadImageError, match=r"wide\.png.*uint16.*uint8"):
        next(open_frame(frame, serial(), y_col="labels", shuffle=False))
    frame = beside(pairs, tmp_path / "wide.png")
    frame.loc[1, "labels"] = pairs.loc[1, "labels"]
    y = next(open_frame(frame, serial(), y_col="labels", shuffle=False))[1]
    assert y.dtype == np.uint16, "narrower ones fit in"


# Bad ones


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_a_mask_that_is_missing_is_told_or_replaced_with_its_image(
    executor: str, pairs: pd.DataFrame, tmp_path: Path
) -> None:
    frame = pairs.copy()
    frame.loc[1, "labels"] = str(tmp_path / "gone.png")
    options: dict[str, Any] = {
        "y_col": ["image", "labels"],
        "shuffle": False,
        "validate_filenames": False,
    }
    generator = ImageDataGenerator(executor=executor, cores=1)
    with (
        open_frame(frame, generator, **options) as it,
        pytest.raises(BadImageError, match=r"gone\.png"),
    ):
        next(it)
    generator = ImageDataGenerator(executor=executor, cores=1, on_bad_image="replace")
    with open_frame(frame, generator, **options) as it:
        with pytest.warns(UserWarning, match=r"gone\.png"):
            x, (same, labels) = next(it)
        assert [bad.substitute for bad in it.bad_images] == [pairs.loc[2, "image"]]
    np.testing.assert_array_equal(x, same)
    np.testing.assert_array_equal(labels, x % 3)
    np.testing.assert_array_equal(x[1], x[2])


def test_rows_without_a_mask_are_left_out(pairs: pd.DataFrame) -> None:
    frame = pairs.copy()
    frame.loc[2, "labels"] = "nowhere.png"
    with pytest.warns(UserWarning, match='y_col="labels"'):
        assert open_frame(frame, serial(), y_col="labels").n == SAMPLES - 1


def spoilt(pairs: pd.DataFrame, tmp_path: Path, row: int) -> pd.DataFrame:
    (tmp_path / "bad.png").write_bytes(b"no image")
    frame = pairs.copy()
    frame.loc[row, "labels"] = str(tmp_path / "bad.png")
    return frame


def test_a_bad_mask_is_an_error_that_names_it(pairs: pd.DataFrame, tmp_path: Path) -> None:
    frame = spoilt(pairs, tmp_path, 1)
    with pytest.raises(BadImageError, match=r"bad\.png") as caught:
        next(open_frame(frame, serial(), y_col="labels", shuffle=False))
    assert any("bad.png" in note for note in caught.value.__notes__)


def test_a_sample_with_a_bad_mask_is_replaced(pairs: pd.DataFrame, tmp_path: Path) -> None:
    frame = spoilt(pairs, tmp_path, 1)
    it = open_frame(frame, serial(on_bad_image="replace"), y_col="labels", shuffle=False)
    with pytest.warns(UserWarning, match=r"bad\.png"):
        x, y = next(it)
    np.testing.assert_array_equal(x[1], x[2])
    np.testing.assert_array_equal(y[1], y[2])
