"""Boxes and points in the form that frameworks want: the same structure, with fixed shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from box_support import GEOMETRY, box_frame, boxes_of, corrected
from executor_support import take


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boxes")


@pytest.fixture(scope="module")
def frame(folder: Path) -> pd.DataFrame:
    return box_frame(folder)


def assert_same(found: Any, expected: Any) -> None:
    for (x, y), (images, targets) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(x), images)
        assert sorted(y) == sorted(targets)
        for key, value in targets.items():
            np.testing.assert_array_equal(np.asarray(y[key]), value)


def test_tensorflow(frame: pd.DataFrame, folder: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    expected = take(boxes_of(frame, folder, corrected(**GEOMETRY)), 2)
    dataset = boxes_of(frame, folder, corrected(**GEOMETRY)).to_tf_dataset()
    boxes = dataset.element_spec[1]
    assert boxes["boxes"] == tf.TensorSpec((None, 3, 4), tf.float32)
    assert boxes["labels"] == tf.TensorSpec((None, 3), tf.int32)
    assert_same(dataset.as_numpy_iterator(), expected)


def test_torch(frame: pd.DataFrame, folder: Path) -> None:
    torch = pytest.importorskip("torch")
    expected = take(boxes_of(frame, folder, corrected(**GEOMETRY)), 2)
    dataset = boxes_of(frame, folder, corrected(**GEOMETRY)).to_torch_dataset()
    loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=0)
    assert_same(loader, expected)


def test_jax(frame: pd.DataFrame, folder: Path) -> None:
    pytest.importorskip("jax")
    expected = take(boxes_of(frame, folder, corrected(**GEOMETRY)), 2)
    assert_same(boxes_of(frame, folder, corrected(**GEOMETRY)).to_jax(), expected)
    device = corrected(**GEOMETRY, finish="device")
    for (_, y), (_, other) in zip(boxes_of(frame, folder, device).to_jax(), expected, strict=True):
        np.testing.assert_array_equal(np.asarray(y["boxes"]), other["boxes"])


def test_keras_trains_with_boxes(frame: pd.DataFrame, folder: Path) -> None:
    keras = pytest.importorskip("keras")
    inputs = keras.Input((48, 64, 1))
    flat = keras.layers.Flatten()(inputs)
    boxes = keras.layers.Reshape((3, 4))(keras.layers.Dense(12)(flat))
    model = keras.Model(inputs, {"boxes": boxes, "labels": keras.layers.Dense(3)(flat)})
    model.compile(loss={"boxes": "mse", "labels": "mse"})
    it = boxes_of(frame, folder, corrected(rescale=1 / 255))
    assert np.isfinite(model.fit(it, verbose=0).history["loss"]).all()
