"""`to_tf_dataset` and `to_torch_dataset`: the same batches, an epoch for each iteration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import take

from imageloom import ImageDataGenerator, InvalidArgumentError

tf = pytest.importorskip("tensorflow")
torch = pytest.importorskip("torch")


def open_folder(folder: Path, **options: Any) -> Any:
    generator = ImageDataGenerator(executor="threads", cores=2, rotation_range=20)
    usual: dict[str, Any] = {"target_size": (20, 20), "batch_size": 4, "seed": 3}
    return generator.flow_from_directory(folder, **(usual | options))


def flat(batch: Any) -> list[np.ndarray[Any, Any]]:
    parts = batch if isinstance(batch, (tuple, list)) else [batch]
    found: list[np.ndarray[Any, Any]] = []
    for part in parts:
        found += flat(part) if isinstance(part, (tuple, list)) else [np.asarray(part)]
    return found


def assert_same(received: list[Any], expected: list[Any]) -> None:
    assert len(received) == len(expected)
    for one, other in zip(received, expected, strict=True):
        for part, right in zip(flat(one), flat(other), strict=True):
            assert part.dtype == right.dtype
            np.testing.assert_array_equal(part, right)


@pytest.mark.parametrize("class_mode", ["categorical", "sparse", "input", None])
def test_tf_batches_are_the_iterators(class_mode: str | None, class_folder: Path) -> None:
    expected = take(open_folder(class_folder, class_mode=class_mode), 10)
    with open_folder(class_folder, class_mode=class_mode) as it:
        dataset = it.to_tf_dataset()
        assert dataset.cardinality().numpy() == len(it) == 5
        received = [batch for _ in range(2) for batch in dataset.as_numpy_iterator()]
    assert_same(received, expected)
    spec = dataset.element_spec[0] if class_mode else dataset.element_spec
    assert spec.shape.as_list() == [None, 20, 20, 3]
    assert spec.dtype == tf.float32


def test_a_broken_off_iteration_starts_its_epoch_again(class_folder: Path) -> None:
    expected = take(open_folder(class_folder), 10)
    with open_folder(class_folder) as it:
        dataset = it.to_tf_dataset()
        list(dataset.take(2).as_numpy_iterator())
        received = [batch for _ in range(2) for batch in dataset.as_numpy_iterator()]
    assert_same(received, expected)


def test_further_inputs_masks_and_weights_keep_their_structure(class_folder: Path) -> None:
    generator = ImageDataGenerator(executor="serial")
    x, more = np.zeros((6, 8, 8, 3), np.uint8), np.arange(6)
    it = generator.flow((x, more), np.eye(6), sample_weight=np.ones(6), batch_size=4, shuffle=False)
    (images, inputs), y, weights = next(iter(it.to_tf_dataset()))
    assert (images.shape, inputs.shape, y.shape, weights.shape) == ((4, 8, 8, 3), (4,), (4, 6), (4,))
    names = sorted(str(p.relative_to(class_folder)) for p in class_folder.glob("*/*.png"))
    frame = pd.DataFrame({"filename": names, "mask": names})
    it = generator.flow_from_dataframe(
        frame, class_folder, y_col="mask", class_mode="image", batch_size=2, target_size=(8, 9)
    )
    assert [spec.shape.as_list() for spec in it.to_tf_dataset().element_spec] == [
        [None, 8, 9, 3], [None, 8, 9, 1],
    ]  # fmt: skip


def test_torch_batches_are_the_iterators(class_folder: Path) -> None:
    expected = take(open_folder(class_folder), 10)
    with open_folder(class_folder) as it:
        dataset = it.to_torch_dataset()
        loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=0)
        assert len(loader) == 5
        received = [batch for _ in range(2) for batch in loader]
        assert all(torch.is_tensor(part) for batch in received for part in batch)
    assert_same(received, expected)


@pytest.mark.skipif(
    tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 13),
    reason="2.4, for one, leaves its worker behind when a data set refuses",
)
def test_torch_workers_are_refused(class_folder: Path) -> None:
    with open_folder(class_folder) as it:
        loader = torch.utils.data.DataLoader(it.to_torch_dataset(), batch_size=None, num_workers=1)
        with pytest.raises(InvalidArgumentError, match="num_workers=0"):
            next(iter(loader))
