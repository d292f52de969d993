"""`fit` of arrays in files: the numbers of the array in memory, of which a block is read at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stand_in_tables import OnlyHere

from imageloom import ImageDataGenerator
from imageloom._api import array_blocks

IMAGES = np.random.default_rng(2).integers(0, 256, (23, 9, 8, 3), dtype=np.uint8)
ROW = 9 * 8 * 3 * 4  # bytes of an image in float32
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mean and deviation": ({"featurewise_center": True, "featurewise_std_normalization": True}, {}),
    "rescaled": ({"featurewise_center": True, "rescale": 1 / 255}, {}),
    "whitening": ({"featurewise_center": True, "zca_whitening": True}, {}),
    "float64": ({"featurewise_std_normalization": True, "featurewise_center": True,
                 "dtype": "float64"}, {}),
    "augmented": (
        {"featurewise_center": True, "rotation_range": 30, "horizontal_flip": True},
        {"augment": True, "rounds": 3, "seed": 4},
    ),
    "augmented and rescaled": (
        {"featurewise_center": True, "brightness_range": (0.5, 1.5), "rescale": 1 / 255,
         "geometry": "corrected", "zca_whitening": True},
        {"augment": True, "rounds": 2, "seed": 4},
    ),
}  # fmt: skip


class Slices:
    """An array that is read by slices, and notes how many rows were read at once."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.most = 0

    def __getitem__(self, key: Any) -> np.ndarray[Any, Any]:
        found = np.array(self._values[key])
        self.most = max(self.most, len(found) if found.ndim == 4 else 1)
        return found

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("the whole array is asked for")


def fitted(x: Any, options: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    generator = ImageDataGenerator(**options)
    generator.fit(x, **call)
    names = ("mean", "std", "zca_whitening_matrix")
    return {n: getattr(generator, n) for n in names if getattr(generator, n) is not None}


@pytest.fixture(params=["memmap", "slices", "hdf5"])
def stored(request: Any, tmp_path: Path) -> Iterator[Any]:
    if request.param == "slices":
        yield Slices(IMAGES)
    elif request.param == "memmap":
        np.save(tmp_path / "x.npy", IMAGES)
        yield np.load(tmp_path / "x.npy", mmap_mode="r")
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.create_dataset("x", data=IMAGES, chunks=(4, 9, 8, 3))
        with h5py.File(tmp_path / "x.h5", "r") as file:
            yield file["x"]


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_those_of_memory(case: str, stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_blocks, "_NBYTES", 5 * ROW)
    options, call = CASES[case]
    expected = fitted(IMAGES, options, call)
    found = fitted(stored, options, call)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value.shape == expected[name].shape
        if name == "zca_whitening_matrix":  # of sums of products, and not of all images at once
            np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-3 * abs(value).max())
        else:
            np.testing.assert_array_equal(value, expected[name])
    if isinstance(stored, Slices):
        assert 1 <= stored.most <= 5


def test_a_fit_of_tables_that_stay_here_can_be_augmented() -> None:
    """The images of such a table come with each task, also if the program draws the transforms."""
    records = []
    for number in range(4):
        content = io.BytesIO()
        Image.fromarray(IMAGES[number]).save(content, "PNG")
        records.append({"image": content.getvalue(), "label": number % 2})
    options: dict[str, Any] = {"featurewise_center": True, "rotation_range": 20, "executor": "serial"}
    options["geometry"] = "corrected"
    generator = ImageDataGenerator(**options)
    it = generator.flow_from_table(OnlyHere(records), target_size=(9, 8), shuffle=False, verbose=0)
    generator.fit(it, augment=True, seed=3)
    assert generator.mean is not None
    np.testing.assert_allclose(
        generator.mean, fitted(IMAGES[:4], options, {"augment": True, "seed": 3})["mean"], rtol=1e-4
    )
