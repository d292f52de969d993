"""Class numbers that the iterator's dtype does not keep are told once, and stay those of Keras."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imageloom import ImageDataGenerator

CLASSES = 300
NAMES = [f"c{number:03}" for number in range(CLASSES)]
OPTIONS: dict[str, Any] = {"target_size": (2, 2), "batch_size": CLASSES, "shuffle": False, "verbose": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("classes")
    for number, name in enumerate(NAMES):
        (root / name).mkdir()
        Image.new("L", (2, 2), number % 250).save(root / name / "0.png")
    return root


def of_folder(generator: ImageDataGenerator, folder: Path, mode: str) -> Any:
    return generator.flow_from_directory(folder, class_mode=mode, **OPTIONS)


def of_frame(generator: ImageDataGenerator, folder: Path, mode: str) -> Any:
    table = pd.DataFrame({"filename": [f"{name}/0.png" for name in NAMES], "class": NAMES})
    return generator.flow_from_dataframe(table, folder, class_mode=mode, **OPTIONS)


def of_table(generator: ImageDataGenerator, folder: Path, mode: str) -> Any:
    table = [{"image": (folder / name / "0.png").read_bytes(), "label": name} for name in NAMES]
    return generator.flow_from_table(table, class_mode=mode, **OPTIONS)


Flow = Callable[[ImageDataGenerator, Path, str], Any]
flows = pytest.mark.parametrize("flow", [of_folder, of_frame, of_table])


def told(flow: Flow, folder: Path, dtype: str, mode: str = "sparse") -> tuple[list[str], Any]:
    """What is told, and the targets of an epoch."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with flow(ImageDataGenerator(executor="serial", dtype=dtype), folder, mode) as it:
            made = len(caught)
            targets = next(it)[1]
            it.reset()
            next(it)
    assert len(caught) == made, "told when the iterator is made"
    return [str(w.message) for w in caught if "IL216" in str(w.message)], targets


@flows
def test_bytes_do_not_hold_300_classes(flow: Flow, folder: Path) -> None:
    (text,), targets = told(flow, folder, "uint8")
    assert "changes 44 labels of the 300 classes" in text
    assert "that of 'c299' is 299, and batches have 43" in text
    assert targets.tolist() == [number % 256 for number in range(CLASSES)], "as in Keras"


@flows
def test_a_short_float_rounds_labels(flow: Flow, folder: Path) -> None:
    pytest.importorskip("ml_dtypes")
    (text,), targets = told(flow, folder, "bfloat16")
    assert "changes 22 labels" in text
    assert "'c299' is 299, and batches have 300" in text
    assert targets[257] == 256


@flows
@pytest.mark.parametrize(
    ("dtype", "mode"),
    [("float16", "sparse"), ("float32", "sparse"), ("uint16", "sparse"), ("uint8", "categorical")],
)
def test_what_keeps_labels_is_not_told(flow: Flow, dtype: str, mode: str, folder: Path) -> None:
    assert told(flow, folder, dtype, mode)[0] == []


def test_half_precision_holds_2048_classes() -> None:
    file = io.BytesIO()
    Image.new("L", (2, 2)).save(file, "PNG")
    generator = ImageDataGenerator(executor="serial", dtype="float16")

    def made(count: int) -> None:
        rows = [{"image": file.getvalue(), "label": f"{number:05}"} for number in range(count)]
        generator.flow_from_table(rows, class_mode="sparse", **OPTIONS).close()

    made(2049)  # the numbers up to 2048
    with pytest.warns(UserWarning, match=r"IL216.* 1 label .*'02049' is 2049, and batches have 2048\."):
        made(2050)


def test_targets_of_arrays_keep_their_dtype() -> None:
    labels = np.arange(CLASSES)
    images = np.arange(CLASSES * 12, dtype=np.uint16).reshape(CLASSES, 2, 2, 3).astype("uint8")
    generator = ImageDataGenerator(executor="serial", dtype="uint8")
    batch = next(generator.flow(images, labels, batch_size=CLASSES, shuffle=False))
    np.testing.assert_array_equal(batch[1], labels)
