"""`imageloom inspect` looks at the pixels: near-duplicates; blank, tiny and blurred images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from altered_copies import COPIES, NAMES, cropped, whole_photograph
from command_line import run
from PIL import Image, ImageFilter

from imageloom._cli.terminal import COLUMNS, columns

NEAR = ("near_duplicates", "near_duplicates_between_classes", "near_duplicates_between_subsets")


def inspected(*words: object, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("inspect", *words, "--json", status=status).stdout)
    return found


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of six photographs each, in which nothing is wrong."""
    folder = tmp_path / "photos"
    for number, name in enumerate(NAMES):
        path = folder / ("even", "odd")[number % 2] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        whole_photograph(name).save(path, quality=90)
    return folder


def add(path: Path, image: Image.Image, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def test_nothing_is_wrong_with_photographs(photos: Path) -> None:
    found = inspected(photos, "--validation-split", 0.5)
    assert all(found[name] == [] for name in (*NEAR, "blank", "tiny", "blurred", "duplicates"))
    assert "Nothing unusual" in run("inspect", photos, "--validation-split", 0.5).stdout


def test_near_duplicates_within_a_class_are_a_hint(photos: Path) -> None:
    add(photos / "odd" / "zz.png", COPIES["half the size"](whole_photograph("coins")))
    found = inspected(photos)
    assert [found[name] for name in NEAR] == [[["odd/coins.jpg", "odd/zz.png"]], [], []]
    words = run("inspect", photos).stdout
    assert "1 group of near-duplicates: keep them in one subset\n  - odd/coins.jpg\n" in words
    assert "    odd/zz.png" in words


def test_near_duplicates_between_classes_are_a_problem(photos: Path) -> None:
    add(photos / "even" / "zz.jpg", cropped(whole_photograph("coins"), 0.03), quality=80)
    found = inspected(photos, status=1)
    group = ["even/zz.jpg", "odd/coins.jpg"]
    assert [found[name] for name in NEAR] == [[group], [group], []]
    words = run("inspect", photos, status=1).stdout
    assert "1 group of near-duplicates between classes" in words
    assert words.count("odd/coins.jpg") == 1, "not told twice"


def test_near_duplicates_between_subsets_are_named_first(photos: Path) -> None:
    add(photos / "odd" / "zz.jpg", COPIES["brighter"](whole_photograph("chelsea")))
    (photos / "odd" / "zzz.png").write_bytes(b"broken")
    assert (photos / "odd" / "chelsea.jpg").exists()
    split = ("--validation-split", 0.3)
    found = inspected(photos, *split, status=1)
    leak = {"training": ["odd/zz.jpg"], "validation": ["odd/chelsea.jpg"]}
    assert found["near_duplicates_between_subsets"] == [leak]
    words = run("inspect", photos, *split, status=1).stdout
    assert words.index("across subsets") < words.index("unreadable")
    assert "  - odd/zz.jpg (training)\n    odd/chelsea.jpg (validation)\n" in words
    (photos / "odd" / "zzz.png").unlink()
    run("inspect", photos, status=0)
    run("inspect", photos, "--validation-split", 0.9, status=1)


def test_the_same_content_in_both_subsets_is_a_problem(photos: Path) -> None:
    shutil.copy(photos / "odd" / "chelsea.jpg", photos / "odd" / "zz.jpg")
    assert inspected(photos)["duplicates_between_subsets"] == []
    found = inspected(photos, "--validation-split", 0.3, status=1)
    leak = {"training": ["odd/zz.jpg"], "validation": ["odd/chelsea.jpg"]}
    assert found["duplicates_between_subsets"] == [leak]
    assert found["duplicates"] == [["odd/chelsea.jpg", "odd/zz.jpg"]]
    assert all(found[name] == [] for name in NEAR), "not told twice"


def test_exact_copies_of_a_near_duplicate_are_named_too(photos: Path) -> None:
    shutil.copy(photos / "odd" / "coins.jpg", photos / "odd" / "again.jpg")
    add(photos / "odd" / "other.png", COPIES["darker"](whole_photograph("coins")))
    found = inspected(photos)
    assert found["near_duplicates"] == [["odd/again.jpg", "odd/coins.jpg", "odd/other.png"]]
    assert found["duplicates"] == [["odd/again.jpg", "odd/coins.jpg"]]


def test_folders_of_parts_are_subsets(photos: Path, tmp_path: Path) -> None:
    for part in ("train", "val"):
        shutil.copytree(photos / "odd", tmp_path / "data" / part / "odd")
    for path in (tmp_path / "data" / "val" / "odd").iterdir():
        with Image.open(path) as image:
            COPIES["half the size"](image).save(path)
    found = inspected(tmp_path / "data", status=1)
    leaks = found["near_duplicates_between_subsets"]
    assert {"train": ["train/odd/coins.jpg"], "val": ["val/odd/coins.jpg"]} in leaks
    assert len(leaks) == 6
    assert found["near_duplicates_between_classes"] == []


def test_tables(photos: Path, tmp_path: Path) -> None:
    add(photos / "odd" / "zz.png", COPIES["grey"](whole_photograph("chelsea")))
    names = sorted(str(path.relative_to(photos).as_posix()) for path in photos.glob("*/*"))
    names = ["odd/zz.png", *(name for name in names if name != "odd/zz.png"), "even/brick.jpg"]
    frame = pd.DataFrame({"filename": names, "class": ["a", "b"] * 7})
    frame.to_csv(tmp_path / "table.csv", index=False)
    words = (tmp_path / "table.csv", "--directory", photos)
    found = inspected(*words, "--validation-split", 0.4, status=1)
    group = {"training": ["odd/chelsea.jpg"], "validation": ["odd/zz.png"]}
    assert found["near_duplicates_between_subsets"] == [group]
    assert not [name for group in found["near_duplicates"] for name in group if "brick" in name]


def test_a_flat_folder_is_split_too(photos: Path) -> None:
    add(photos / "odd" / "zz.png", COPIES["grey"](whole_photograph("chelsea")))
    found = inspected(photos / "odd", "--validation-split", 0.3, status=1)
    leak = {"training": ["zz.png"], "validation": ["chelsea.jpg"]}
    assert found["near_duplicates_between_subsets"] == [leak]


def test_blank_images_are_a_hint_and_no_duplicates(photos: Path) -> None:
    for name, level in (("even/black.png", 0), ("odd/grey.jpg", 90), ("odd/white.png", 255)):
        add(photos / name, Image.new("RGB", (400, 300), (level,) * 3))
    (photos / "none").mkdir()
    np.save(photos / "none" / "zeros.npy", np.zeros((300, 400), np.float32))
    found = inspected(photos)
    assert found["blank"] == ["even/black.png", "none/zeros.npy", "odd/grey.jpg", "odd/white.png"]
    assert all(found[name] == [] for name in (*NEAR, "blurred"))
    assert (
        "4 blank: nearly all pixels have one colour\n  even/black.png" in run("inspect", photos).stdout
    )


def test_tiny_images_are_a_hint(photos: Path) -> None:
    add(
        photos / "even" / "icon.png",
        COPIES["a thumbnail"](Image.effect_mandelbrot((400, 300), (-2, -1, 1, 1), 99)),
    )
    add(photos / "odd" / "pixel.gif.png", Image.new("L", (1, 1)))
    found = inspected(photos)
    assert found["tiny"] == ["even/icon.png", "odd/pixel.gif.png"]
    assert "2 far smaller than the others" in run("inspect", photos).stdout


def test_sets_of_small_images_are_not_tiny(photos: Path) -> None:
    for path in photos.glob("*/*.jpg"):
        with Image.open(path) as image:
            image.resize((32, 32)).save(path)
    assert inspected(photos)["tiny"] == []


def test_blurred_images_are_a_hint(photos: Path) -> None:
    original = whole_photograph("rocket").crop((0, 0, 200, 300))
    add(photos / "odd" / "soft.jpg", original.filter(ImageFilter.GaussianBlur(5)), quality=90)
    found = inspected(photos)
    assert found["blurred"] == ["odd/soft.jpg"]
    assert "1 perhaps blurred" in run("inspect", photos).stdout


def test_a_set_of_soft_images_is_not_blurred(photos: Path) -> None:
    for path in photos.glob("*/*.jpg"):
        with Image.open(path) as image:
            image.filter(ImageFilter.GaussianBlur(4)).save(path)
    assert inspected(photos)["blurred"] == []


def test_images_of_16_bits_are_seen_as_they_are(tmp_path: Path) -> None:
    for number, name in enumerate(NAMES[:3]):
        grey = np.asarray(whole_photograph(name).convert("L")).astype(np.uint16) * 200 + 300
        add(tmp_path / "data" / "one" / f"{number}.png", Image.fromarray(grey))
        smaller = Image.fromarray((grey[::2, ::2] // 256).astype(np.uint8))
        add(tmp_path / "data" / "one" / f"{number}_8.png", smaller)
    found = inspected(tmp_path / "data")
    assert found["blank"] == []
    assert found["near_duplicates"] == [[f"one/{i}.png", f"one/{i}_8.png"] for i in range(3)]


def test_the_words_fit_60_columns(photos: Path) -> None:
    long = "猫" * 40
    for i in range(12):
        image = COPIES["half the size"](whole_photograph(NAMES[i]))
        add(photos / "odd" / f"{i:02}{long}.png", image)
        add(photos / "even" / f"{i:02}{long}.png", Image.new("L", (9, 9), 20 * i))
    for everything in ((), ("--all",)):
        words = ("inspect", photos, "--validation-split", 0.5, *everything)
        lines = run(*words, status=1).stdout.splitlines()
        start = next(i for i, line in enumerate(lines) if "across subsets" in line)
        assert all(columns(line) <= COLUMNS for line in lines[start:])
        assert ("more (--all)" in "".join(lines)) == (not everything)
    assert any(name.endswith(f"{long}.png") for name in inspected(photos, status=1)["blank"])


def test_help_says_what_the_exit_status_means() -> None:
    text = " ".join(run("inspect", "--help").stdout.split())
    assert "several classes or subsets have the same content" in text
    assert "hints" in text
