"""`imageloom inspect` divides a data set as generators do, and finds what lies in both parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import run
from PIL import Image

from imageloom import ImageDataGenerator
from imageloom._checks import splits as checks
from imageloom._cli import splits

SPLIT = ("--validation-split", 0.4, "--split", "random", "--split-seed", 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty different pictures, each of which is there twice, under two patients' names."""
    place: Path = tmp_path_factory.mktemp("photos")
    for number in range(20):
        (place / "ab"[number % 2]).mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), np.uint8)
        for copy in "xy":
            Image.fromarray(pixels).save(place / "ab"[number % 2] / f"{number:02}{copy}.png")
    return place


def leaks(*words: object, status: int = 1) -> set[str]:
    found: dict[str, Any] = json.loads(run("inspect", *words, "--json", status=status).stdout)
    return {
        name
        for group in found["duplicates_between_subsets"]
        for names in group.values()
        for name in names
    }


def expected(folder: Path, **options: Any) -> set[str]:
    """Both names of the pictures that are in both parts."""
    generator = ImageDataGenerator(**options)
    parts = [
        set(generator.flow_from_directory(folder, subset=subset, verbose=0).filenames)
        for subset in ("training", "validation")
    ]
    twins = [(name, name.replace("x.png", "y.png")) for part in parts for name in part if "x" in name]
    return {n for pair in twins if not any(part.issuperset(pair) for part in parts) for n in pair}


def test_copies_across_a_split_are_found(folder: Path) -> None:
    found = leaks(folder, *SPLIT)
    assert found == expected(folder, validation_split=0.4, split="random", split_seed=2)
    assert found
    assert leaks(folder, "--fold", "1/3", "--split", "stratified") == expected(
        folder, fold=(1, 3), split="stratified"
    )


def test_a_pattern_keeps_copies_together(folder: Path) -> None:
    for pattern in ("[0-9]+", "/([0-9]+)[xy]"):
        assert leaks(folder, *SPLIT, "--groups", pattern, status=0) == set()
    assert (
        "that of 'a/00x.png' is None"
        in run("inspect", folder, *SPLIT, "--groups", "q", status=1).stderr
    )


def test_a_folder_without_classes_and_a_table_are_divided_too(folder: Path, tmp_path: Path) -> None:
    assert leaks(folder / "a", *SPLIT)
    assert leaks(folder / "a", *SPLIT, "--groups", "[0-9]+") == set()  # a flat folder is told
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.png"))
    frame = pd.DataFrame({"filename": names, "class": [name[0] for name in names]})
    frame["patient"] = [name[2:4] for name in names]
    frame.to_csv(tmp_path / "table.csv", index=False)
    words = (tmp_path / "table.csv", "--directory", folder)
    assert leaks(*words, *SPLIT) == expected(folder, validation_split=0.4, split="random", split_seed=2)
    assert leaks(*words, *SPLIT, "--groups", "patient", status=0) == set()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--split", "random"), "need --validation-split SHARE, or --fold I/K"),
        (("--fold", "0/5", "--validation-split", 0.2), "exclude each other"),
        (("--fold", "5/5"), "'5/5' is not a part I/K"),
        (("--fold", "one"), "'one' is not a part I/K"),
        ((*SPLIT, "--groups", "("), "'(' is no regular expression"),
        (("--validation-split", 0.2, "--split", "shuffled"), "'shuffled' is not one of"),
    ],
)
def test_wrong_options_are_refused(folder: Path, words: tuple[object, ...], told: str) -> None:
    assert told in " ".join(run("inspect", folder, *words, status=2).stderr.split())


def test_the_ways_are_those_of_the_library() -> None:
    assert splits.SPLITS == checks.SPLITS
