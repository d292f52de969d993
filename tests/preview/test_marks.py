"""Sheets draw boxes and points over the images, and name what compositions have done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from box_support import box_frame, boxes_of, corrected
from click.testing import CliRunner
from PIL import Image

from imageloom._cli import main
from imageloom._preview.captions import phrases
from imageloom._preview.colours import distinct_colour
from imageloom._preview.marks import Marks, draw_marks, mark_keys


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boxes")


@pytest.fixture(scope="module")
def frame(folder: Path) -> pd.DataFrame:
    return box_frame(folder)


def has(sheet: Image.Image, number: int) -> int:
    """How many pixels have the colour of a class or point."""
    return int((np.asarray(sheet) == distinct_colour(number)).all(axis=-1).sum())


def test_a_box_is_drawn_at_its_place() -> None:
    marks = Marks((20, 30), np.array([[10.0, 5, 20, 15]]), np.empty((0, 2)), np.array([1]), {1: "cat"})
    shown = draw_marks(Image.new("RGB", (90, 60)), marks)
    rows, columns = np.nonzero((np.asarray(shown) == distinct_colour(1)).all(axis=-1))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (30, 15, 60, 45)
    assert mark_keys([None, marks]) == [("boxes:", None), ("cat", distinct_colour(1))]
    assert mark_keys([None]) == []


def test_a_sheet_shows_boxes_and_their_classes(frame: pd.DataFrame, folder: Path) -> None:
    plain = boxes_of(frame, folder, corrected(rotation_range=20), class_mode=None)
    it = boxes_of(frame, folder, corrected(rotation_range=20))
    sheet, without = it.preview(samples=3, versions=2), plain.preview(samples=3, versions=2)
    assert has(sheet, 0) > 300
    assert has(sheet, 1) > 100
    assert has(without, 0) == 0


def test_a_sheet_shows_points(frame: pd.DataFrame, folder: Path) -> None:
    it = boxes_of(frame, folder, corrected(), y_col="points", class_mode="keypoints")
    sheet = it.preview(samples=2, versions=1)
    assert has(sheet, 0) > 100
    assert has(sheet, 1) > 100


def test_the_steps_of_a_composition_are_named(frame: pd.DataFrame, folder: Path) -> None:
    albumentations = pytest.importorskip("albumentations")
    steps = [albumentations.HorizontalFlip(p=1), albumentations.VerticalFlip(p=0)]
    generator = corrected(preprocessing_function=albumentations.Compose(steps))
    sheet = boxes_of(frame, folder, generator, class_mode=None).preview(samples=2, versions=2)
    for version in sheet.info["versions"]:
        assert version["parameters"]["functions"] == "('albumentations:', 'HorizontalFlip')"
    assert phrases({"functions": ("albumentations:", "Blur")}) == ["albumentations:", "Blur"]


def test_the_command_draws_what_a_table_has(frame: pd.DataFrame, folder: Path) -> None:
    rows = [
        (name, *box, label)
        for name, boxes, labels in zip(frame.filename, frame.boxes, frame.labels, strict=True)
        for box, label in zip(boxes, labels, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["file", "x", "y", "x2", "y2", "label"])
    table.to_csv(folder / "boxes.csv", index=False)
    frame[["filename", "points"]].to_csv(folder / "points.csv", index=False)
    sheet = folder / "sheet.png"
    for options in (
        ["--boxes", str(folder / "boxes.csv")],
        ["--boxes", str(folder / "boxes.csv"), "--columns", "file,x,y,x2,y2", "--coordinates", "xyxy"],
        ["--points", str(folder / "points.csv"), "--size", "64", "64"],
    ):
        done = CliRunner().invoke(main, ["preview", str(folder), "-o", str(sheet), *options])
        assert done.exit_code == 0, done.output
        with Image.open(sheet) as shown:
            assert has(shown.convert("RGB"), 0) > 100
    wrong = ["--boxes", str(folder / "boxes.csv"), "--points", str(folder / "points.csv")]
    done = CliRunner().invoke(main, ["preview", str(folder), *wrong])
    assert done.exit_code == 2
    assert "either --boxes or --points" in done.output
