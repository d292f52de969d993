"""Folders whose data cannot be meant are told at the call, with cause, count, example and remedy."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from PIL import Image

from imageloom import ImageDataGenerator, InvalidArgumentError, ParallelImageDataGenerator

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}


def write(folder: Path, *names: str) -> Path:
    """Small pictures, each with other pixels; other names are files of text, or folders."""
    rng = np.random.default_rng(len(names))
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        elif path.suffix in FORMATS:
            pixels = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path, FORMATS[path.suffix])
        else:
            path.write_bytes(b"no picture")
    return folder


def many(pattern: str, count: int) -> list[str]:
    return [pattern.format(i) for i in range(count)]


def told(folder: Path | str, **options: Any) -> list[str]:
    """The warnings of a call."""
    split = options.pop("validation_split", 0.2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        generator = ImageDataGenerator(executor="serial", validation_split=split)
        generator.flow_from_directory(folder, (4, 4), **options).close()
    assert all(Path(w.filename) == Path(__file__) for w in caught)
    return [str(w.message) for w in caught]


MISTAKES: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "flat": (many("{}.png", 12), {}, r"12 images lie directly .*'0.png'.*classes=\[\"\.\"\]"),
    "one picture": (["a.png"], {}, r"1 image lies directly"),
    "flat beside a hidden folder": ([".ipynb_checkpoints/", "a.png"], {}, r"1 image lies directly"),
    "flat beside an empty folder": (["out/", *many("{}.jpg", 3)], {}, r"3 images lie directly"),
    "flat with classes": (many("{}.png", 3), {"classes": ["cat"]}, r"3 images lie directly"),
    "flat without labels": (many("{}.png", 3), {"class_mode": None}, r"class_mode=None"),
    "a few in folders": (["aug/1.png", *many("{}.png", 3)], {}, r"3 images lie .* are left out"),
    "splits": (
        [f"{part}/{name}/1.png" for part in ("train", "test", "val") for name in "ab"], {},
        r"3 folders 'train', 'val', 'test' .* the 6 images .*did you mean '.*train'\?",
    ),
    "splits in capitals": (["Training/a/1.png", "Testing/a/1.png"], {}, r"mean '.*Training'"),
    "splits with a prefix": (["seg_train/a/1.png", "seg_test/a/1.png"], {}, r"mean '.*seg_train'"),
    "splits with a suffix": (["train_set/a/1.png", "valid_set/a/1.png"], {}, r"mean '.*train_set'"),
    "splits and notes": (["train/a/1.png", "dev/a/1.png", "notes/x.txt"], {}, r"mean '.*train'"),
    "flat splits": (["train/1.png", "test/2.png"], {}, r"did you mean classes=\['train'\]"),
    "splits without labels": (["train/a/1.png", "test/a/1.png"], {"class_mode": None}, "mixed"),
    "a level too high": (["pets/cat/1.png", "pets/dog/1.png"], {}, r"only class 'pets'.*mean '.*pets'"),
    "only other suffixes": (
        ["a/1.webp", "a/2.WEBP", "b/3.heic", "b/4", "b/.DS_Store"], {},
        r"none of the 4 files .*2 \.webp, 1 \.heic, 1 without suffix, .*1\.webp.*validate_filenames",
    ),
    "other suffixes in a flat folder": (["1.webp", "2.heic"], {}, r"1 \.heic, 1 \.webp"),
    "a class of other suffixes": (["a/1.webp", "b/1.png"], {}, r"class 'a' .*1 \.webp"),
    "more of other suffixes": (["a/1.png", "a/1.webp", "a/2.gif"], {}, r"2 images .*1 \.gif, 1 \.webp"),
    "nothing": (["notes/"], {}, r"No images found for the class 'notes'"),
    "no folder": ([], {}, r"neither sub-folders nor images"),
    "a small class": (
        ["a/1.png", *many("b/{}.png", 5)], {"subset": "validation"},
        r"class 'a' in the subset .*validation_split=0.2 takes none of its 1 image.*at least 5",
    ),
    "a misspelt class": (["cats/1.png", "dogs/2.png"], {"classes": ["cast", "dogs"]}, r"mean 'cats'"),
    "other capitals": (["cats/1.png"], {"classes": ["Kats", "cats"]}, r"class 'Kats'"),
    "a foreign class": (["cats/1.png"], {"classes": ["bird", "cats"]}, r"class 'bird'"),
    "left by a notebook": ([".ipynb_checkpoints/1.png", "a/1.png"], {}, r"_checkpoints' .*1 image"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_one_warning_says_cause_count_example_and_remedy(case: str, tmp_path: Path) -> None:
    names, options, expected = MISTAKES[case]
    texts = told(write(tmp_path, *names), **options)
    assert len(texts) == 1, texts
    assert re.search(expected, texts[0]), texts
    assert told(tmp_path, **options) == texts, "the same from the index"


FINE: dict[str, tuple[list[str], dict[str, Any]]] = {
    "numbered": (many("a/{}.png", 5) + many("b/{}.png", 5), {}),
    "one class": (many("a/{}.png", 2), {}),
    "one class in folders, without labels": (["test/a/1.png", "test/b/2.png"], {"class_mode": None}),
    "notes beside the pictures": (["a/1.png", "a/1.txt", "a/1.xml", "b/2.png", "readme.md"], {}),
    "a picture beside the classes": (["a/1.png", "b/2.png", "sheet.png"], {}),
    "trains and tests": (["train station/1.png", "test tube/1.png", "bus/3.png"], {}),
    "a train among vehicles": (["train/1.png", "bus/1.png", "car/2.png"], {}),
    "a part by its name": (["train/1.png", "test/1.png"], {"classes": ["test"], "class_mode": None}),
    "nested classes": (["a/x/1.png", "a/y/2.png", "b/x/1.png"], {}),
    "a subset": (many("a/{}.png", 5) + many("b/{}.png", 10), {"subset": "validation"}),
    "a flat folder by name": (many("{}.png", 3), {"classes": ["."]}),
}


@pytest.mark.parametrize("case", FINE)
def test_nothing_is_said_of_data_that_can_be_meant(case: str, tmp_path: Path) -> None:
    names, options = FINE[case]
    assert told(write(tmp_path, *names), **options) == []


def test_the_advice_for_a_flat_folder_can_be_followed(tmp_path: Path) -> None:
    folder = write(tmp_path / "flat", *many("{}.png", 5))
    with ImageDataGenerator(executor="serial").flow_from_directory(
        folder, (4, 4), classes=["."], class_mode=None, batch_size=5
    ) as it:
        assert next(it).shape == (5, 4, 4, 3)


def test_the_advice_for_a_remote_flat_folder_can_be_followed(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    try:
        for path in write(tmp_path, *many("{}.png", 3)).iterdir():
            store.pipe(f"/bucket/flat/{path.name}", path.read_bytes())
        (text,) = told("memory://bucket/flat")
        match = re.search(r"3 images lie .*directory='(.*)' and classes=\['(.*)'\]", text)
        assert match
        assert told(match[1], classes=[match[2]]) == []
    finally:
        store.rm("/bucket", recursive=True)


def test_both_faces_say_it(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="directly in it"):
        ParallelImageDataGenerator().flow_from_directory(write(tmp_path, *many("{}.png", 2)))


@pytest.mark.parametrize("method", ["fit", "predict", "evaluate"])
def test_keras_does_not_end_with_an_empty_error(method: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    with pytest.warns(UserWarning, match="directly in it"):
        it = ImageDataGenerator(executor="serial").flow_from_directory(write(tmp_path, "1.png"), (4, 4))
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(InvalidArgumentError, match=r"no images to read.*1 image lies directly"):
        getattr(model, method)(it, verbose=0)


def test_a_picture_in_two_classes(tmp_path: Path) -> None:
    folder = write(tmp_path, *many("cats/{}.png", 6), *many("dogs/{}.png", 6))
    assert told(folder) == []
    shutil.copy(folder / "cats" / "3.png", folder / "dogs" / "3.png")
    (text,) = told(folder)
    assert re.search(r"1 file .* lies in two classes .*3\.png' and '.*3\.png'.*delete", text)
    assert told(folder, class_mode=None) == [], "there are no labels"
    (folder / "dogs" / "3.png").unlink()
    (folder / "dogs" / "3.png").hardlink_to(folder / "cats" / "3.png")
    assert told(folder) == [], "a link is made on purpose"


def test_a_function_that_lists_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a/1.png", "b/")

    def listed(search_class: str, **_: Any) -> tuple[str, list[str]]:
        return search_class, ["a/1.png"] if search_class == "a" else []

    texts = told(tmp_path, list_valid_filenames_in_directory_function=listed)
    assert len(texts) == 1
    assert "class 'b'" in texts[0]


def test_files_left_out_are_kept_with_a_shuffled_index(tmp_path: Path) -> None:
    folder, index = write(tmp_path / "data", "a/1.webp", "b/1.png"), tmp_path / "index"
    with pytest.warns(UserWarning, match=r"1 \.webp") as first:
        ParallelImageDataGenerator().flow_from_directory(folder, shuffle_index_dir=index, seed=1)
    with pytest.warns(UserWarning, match=r"1 \.webp") as again:
        ParallelImageDataGenerator().flow_from_directory(folder, shuffle_index_dir=index, seed=1)
    assert str(first[0].message) == str(again[0].message)


INSPECTED = [name for name in MISTAKES if name not in ("nothing", "left by a notebook")]


@pytest.mark.parametrize("case", [c for c in INSPECTED if not MISTAKES[c][1] and MISTAKES[c][0]])
def test_inspect_finds_it_and_exits_with_1(case: str, tmp_path: Path) -> None:
    names, _, expected = MISTAKES[case]
    result = run("inspect", write(tmp_path / "data", *names), status=1)
    assert re.search(expected, result.stdout), result.stdout


def test_inspect_examines_subsets(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", "a/1.png", *many("b/{}.png", 5))
    run("inspect", folder)
    result = run("inspect", folder, "--validation-split", 0.2, status=1)
    assert "takes none of its 1 image" in result.stdout


def test_inspect_exits_with_1_for_a_picture_in_two_classes(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", *many("a/{}.png", 3), *many("b/{}.png", 3))
    run("inspect", folder)
    shutil.copy(folder / "a" / "1.png", folder / "b" / "other.png")
    assert "in several classes" in run("inspect", folder, status=1).stdout
