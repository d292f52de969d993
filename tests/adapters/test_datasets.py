"""`to_tf_dataset` and `to_torch_dataset`: the same batches, an epoch for each iteration."""

from __future__ import annotations

import pickle
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import BATCHES, RaiseAt, assert_same_batches, flow, flow_with, take

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
    assert len({len(flat(batch)[0]) for batch in received}) == 2, "the last one is short"
    parts = [tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in flat(expected[0])]
    assert dataset.element_spec == (tuple(parts) if class_mode else parts[0])


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


def test_several_inputs_and_no_targets_are_a_tuple_in_a_tuple() -> None:
    """Keras takes a tuple of two for an input and its target."""
    x, more = np.zeros((6, 8, 8, 3), np.uint8), np.arange(6)
    it = ImageDataGenerator(executor="serial").flow((x, more), batch_size=4, shuffle=False)
    ((images, inputs),) = next(iter(it.to_tf_dataset()))
    assert (images.shape, inputs.numpy().tolist()) == ((4, 8, 8, 3), [0, 1, 2, 3])


def test_tf_goes_on_through_the_stream_however_it_is_cut(crops: Path) -> None:
    expected = take(flow(crops), 5 * BATCHES)
    dataset = flow(crops).to_tf_dataset()
    received = list(dataset.repeat().take(2 * BATCHES).as_numpy_iterator())
    received += list(dataset.take(BATCHES).as_numpy_iterator())  # which never asks for an end
    received += [one for one, _ in tf.data.Dataset.zip((dataset, dataset)).as_numpy_iterator()]
    received += list(dataset.as_numpy_iterator())
    assert_same_batches(received, expected)


@pytest.mark.parametrize("kind", ["tf", "torch"])
def test_iterations_side_by_side_see_the_same_epoch(crops: Path, kind: str) -> None:
    expected = take(flow(crops), 2 * BATCHES)
    it = flow(crops)
    dataset = it.to_tf_dataset() if kind == "tf" else it.to_torch_dataset()
    ahead, behind = iter(dataset), iter(dataset)
    firsts = [next(ahead)], [next(behind)]
    for first, rest in zip(firsts, (ahead, behind), strict=True):
        assert_same([*first, *rest], expected[:BATCHES])
    assert_same(list(dataset), expected[BATCHES:])


def test_the_state_says_where_the_pass_began_that_is_being_read(crops: Path) -> None:
    expected = take(flow(crops), 2 * BATCHES)
    it = flow(crops)
    batches = it._stream.one_pass()
    list(islice(batches, BATCHES - 1))
    within = it.state_dict()
    next(batches)
    after = it.state_dict()
    for state, first in ((within, 0), (after, BATCHES)):
        resumed = flow(crops)
        resumed.load_state_dict(state)
        received = list(resumed.to_tf_dataset().as_numpy_iterator())
        assert_same_batches(received, expected[first : first + BATCHES])


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_errors_of_hooks_name_the_file(crops: Path, executor: str) -> None:
    hook = RaiseAt("cat/02.jpg", lambda: ValueError("no cats"))
    with flow_with(crops, executor, preprocessing_function=hook) as it:
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)no cats.*cat/02\.jpg"):
            list(it.to_tf_dataset())
        loader = torch.utils.data.DataLoader(it.to_torch_dataset(), batch_size=None)
        with pytest.raises(ValueError, match="no cats") as caught:
            list(loader)
        assert any("cat/02.jpg" in note for note in caught.value.__notes__)


def test_tf_takes_the_shapes_of_a_batch_function(crops: Path) -> None:
    def lengths(index: int, names: list[str], *_: Any) -> Any:
        return index, (
            [np.ones((len(names), 5)), np.zeros((len(names), 2))],
            np.full(len(names), index),
        )

    it = flow(crops, get_batch_function=lengths)
    dataset = it.to_tf_dataset()
    assert [spec.shape.as_list() for spec in tf.nest.flatten(dataset.element_spec)] == [
        [None, 5], [None, 2], [None],
    ]  # fmt: skip
    assert [int(y[0]) for _, y in dataset] == list(range(BATCHES))


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
    with pytest.raises(InvalidArgumentError, match="num_workers=0"):
        pickle.dumps(it.to_torch_dataset())


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_tensors_lie_where_the_arrays_lay_and_are_writable(
    crops: Path, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = []
    with flow_with(crops, executor, data_format="channels_first", class_mode="sparse") as it:
        plain = it._stream.one_pass

        def noting() -> Any:
            for images, y in plain():
                places.append(images.ctypes.data)
                yield images, y

        monkeypatch.setattr(it._stream, "one_pass", noting)
        loader = torch.utils.data.DataLoader(it.to_torch_dataset(), batch_size=None)
        sizes = []
        for images, y in loader:
            assert images.data_ptr() == places[-1]
            images.add_(1)
            y.add_(1)
            sizes.append(tuple(images.shape))
    assert sizes == [(4, 3, 24, 24)] * 5 + [(3, 3, 24, 24)]


def test_tuples_of_files_are_lists_of_tensors(crops: Path) -> None:
    def pairs(search_class: str, **_: Any) -> Any:
        return search_class, [(f"{search_class}/00.jpg", f"{search_class}/01.png")] * 3

    generator = ImageDataGenerator(executor="serial", data_format="channels_first")
    it = generator.flow_from_directory(
        crops, (8, 9), list_valid_filenames_in_directory_function=pairs, batch_size=4, shuffle=False
    )
    expected = [it[number] for number in range(3)]
    received = list(torch.utils.data.DataLoader(it.to_torch_dataset(), batch_size=None))
    assert_same(received, expected)
    (one, other), y = received[0]
    assert (one.shape, other.shape, y.shape) == ((4, 3, 8, 9), (4, 3, 8, 9), (4, 3))
