"""`it.batch(position)`: any batch again, in every flow, order and executor, without moving anything."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCH,
    BATCHES,
    SEED,
    SIZE,
    assert_same_batches,
    call_as_keras,
    draw_globally,
    flow,
    flow_with,
    jitter,
    take,
)
from ray_support import needs_ray

from imageloom import (
    ArgumentTypeError,
    BatchIndexError,
    ImageDataGenerator,
    InvalidArgumentError,
    Iterator,
    IteratorClosedError,
    load_img,
)
from imageloom._executors.shared import make_executor

ORDERS: dict[str, dict[str, Any]] = {
    "shuffled": {"seed": SEED},
    "plain": {"seed": SEED, "shuffle": False},
    "fast": {"seed": SEED, "shuffle": "fast"},
    "balanced": {"seed": SEED, "balance": True},
    "shard": {"seed": SEED, "shard": (1, 3)},
    "unseeded": {"seed": None},
    "training": {"seed": SEED, "subset": "training"},
}


def opened(folder: Path, kind: str, **order: Any) -> Any:
    """An iterator of one of the flows over the same images, computed by the reader."""
    generator = ImageDataGenerator(**AUGMENTED, executor="serial", validation_split=0.3)
    of_files = {"target_size": SIZE, "batch_size": BATCH, **order}
    if kind == "directory":
        return generator.flow_from_directory(folder, **of_files)
    files = sorted(folder.rglob("*.[jp][pn]g"))
    classes = [path.parent.name for path in files]
    if kind == "frame":
        pd = pytest.importorskip("pandas")
        rows = {"filename": [str(path) for path in files], "class": classes}
        frame = pd.DataFrame({**rows, "weight": np.arange(len(files)) / 7})
        return generator.flow_from_dataframe(frame, weight_col="weight", **of_files)
    x = np.stack([np.asarray(load_img(path, target_size=SIZE)) for path in files])
    y = np.unique(classes, return_inverse=True)[1]
    order["ignore_class_split"] = True
    return generator.flow(x, y, batch_size=BATCH, **order)


@pytest.mark.parametrize("kind", ["directory", "frame", "arrays"])
@pytest.mark.parametrize("order", ORDERS)
def test_every_position_again_and_in_advance(kind: str, order: str, crops: Path) -> None:
    it = opened(crops, kind, **ORDERS[order])
    length = len(it)
    to_come = it.batch(length + 1)
    assert it.total_batches_seen == it.batch_index == 0
    seen = take(it, 2 * length + 1)
    assert_same_batches([to_come], [seen[length + 1]])
    places = [2 * length, 0, length, length - 1, 1]
    assert_same_batches([it.batch(place) for place in places], [seen[place] for place in places])
    assert it.total_batches_seen == 2 * length + 1
    again = opened(crops, kind, **{**ORDERS[order], "seed": ORDERS[order]["seed"]})
    again.load_state_dict(json.loads(json.dumps(it.state_dict())))
    assert_same_batches([again.batch(place) for place in places], [seen[place] for place in places])
    assert_same_batches([next(again)], [next(it)])


@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_executors_give_the_same_and_go_on_as_before(kind: str, crops: Path) -> None:
    expected = take(flow(crops, **AUGMENTED, preprocessing_function=jitter), 3 * BATCHES)
    executor = make_executor(kind, 2, disable_gpu=True)
    it = flow(crops, executor, **AUGMENTED, preprocessing_function=jitter, pending=2)
    with it:
        for place in range(2 * BATCHES):
            batches = [next(it), it.batch(place), it.batch(3 * BATCHES - 1 - place)]
            assert_same_batches(
                batches, [expected[place], expected[place], expected[3 * BATCHES - 1 - place]]
            )
    executor.close()


@pytest.mark.slow
@needs_ray
@pytest.mark.usefixtures("ray_on_two_cpus")
def test_ray_gives_the_same_batches_and_versions(crops: Path) -> None:
    plain = flow(crops, **AUGMENTED)
    expected, versions = take(plain, BATCHES), list(plain.tta(2))
    with flow_with(crops, "ray", **AUGMENTED) as it, it.tta(2) as found:
        first = next(it)
        assert_same_batches([it.batch(4), it.batch(0)], [expected[4], first])
        assert_same_batches(list(found), versions)


def test_keras_order_of_batches_has_its_positions(crops: Path) -> None:
    """Batch i of epoch e is at e * len + i, in whatever order a pass asks for its batches."""
    it = flow(crops, **AUGMENTED)
    for epoch in range(2):
        for index in (3, 0, 5, 1, 4, 2):
            batch = call_as_keras(lambda index=index: it[index])  # type: ignore[misc]
            assert_same_batches([it.batch(epoch * len(it) + index)], [batch])
        call_as_keras(it.on_epoch_end)
    assert it.state_dict()["position"] == 2 * len(it)


def test_nothing_else_changes(crops: Path, tmp_path: Path) -> None:
    """The report, saved pictures, the global generator, the pass of Keras, and what `reset` does."""
    it = flow(
        crops, horizontal_flip=True, save_to_dir=str(tmp_path), preprocessing_function=draw_globally
    )
    next(it)
    saved, images, state = len([*tmp_path.iterdir()]), it.report().images, it.state_dict()
    order, before = it.index_array, np.random.get_state()[1].tolist()
    it.batch(0), it.batch(40)
    assert len([*tmp_path.iterdir()]) == saved == BATCH
    assert it.report().images == images == BATCH
    assert it.state_dict() == state
    np.testing.assert_array_equal(it.index_array, order)
    assert np.random.get_state()[1].tolist() == before
    it.reset()
    assert it.total_batches_seen == 0
    assert_same_batches([next(it)], [it.batch(0)])


@pytest.mark.parametrize("position", [np.int64(3), np.uint8(3), 3])
def test_any_integer_is_a_position(position: Any, crops: Path) -> None:
    it = flow(crops)
    assert_same_batches([it.batch(position)], [take(it, 4)[3]])


@pytest.mark.parametrize(
    ("position", "kind"),
    [
        (-1, BatchIndexError),
        (2**62, BatchIndexError),
        (10**400, BatchIndexError),
        (1.0, ArgumentTypeError),
        ("3", ArgumentTypeError),
        (None, ArgumentTypeError),
        (True, ArgumentTypeError),
        (slice(3), ArgumentTypeError),
    ],
)
def test_what_is_no_position(position: Any, kind: type[Exception], crops: Path) -> None:
    it = flow(crops)
    for method in (it.batch, it.replay):
        with pytest.raises(kind, match="`position` must be"):
            method(position)
    assert it.total_batches_seen == 0


def test_closed_and_empty_iterators(crops: Path) -> None:
    it = flow(crops)
    next(it)
    it.close()
    with pytest.raises(IteratorClosedError):
        it.batch(0)
    empty = ImageDataGenerator().flow(np.zeros((0, 4, 4, 3)))
    with pytest.raises(BatchIndexError, match="has no images"):
        empty.batch(0)


def test_replaced_files_are_replaced_again(crops: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "images"
    shutil.copytree(crops, folder)
    (folder / "cat" / "03.png").write_bytes(b"no picture")
    it = flow(folder, on_bad_image="replace", **AUGMENTED)
    with pytest.warns(UserWarning, match="cannot be read and is replaced"):
        seen = take(it, BATCHES)
    assert_same_batches([it.batch(place) for place in range(BATCHES)], seen)
    fresh = flow(folder, on_bad_image="replace", **AUGMENTED)
    with pytest.warns(UserWarning, match="cannot be read and is replaced"):
        assert_same_batches([fresh.batch(place) for place in range(BATCHES)], seen)


def test_assigned_attributes_count_as_they_are_now(crops: Path) -> None:
    it = flow(crops, shuffle=False)
    first = next(it)[0]
    it.batch_size = 2
    np.testing.assert_array_equal(it.batch(0)[0], first[:2])
    x = np.arange(6, dtype="uint8").reshape(6, 1, 1, 1)
    arrays = ImageDataGenerator(executor="serial").flow(x, np.arange(6), 2, shuffle=False)
    next(arrays)
    arrays.x, arrays.y = x + 10, np.arange(6) + 5
    images, targets = arrays.batch(0)
    assert images.ravel().tolist() == [10, 11]
    assert targets.tolist() == [5, 6]


class Own(Iterator):
    """A class of the user that computes batches, and draws the order of its epochs."""

    drawn = 0

    def _set_index_array(self) -> None:
        type(self).drawn += 1
        self.index_array = np.random.permutation(self.n)

    def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
        return np.asarray(index_array) * 10


def test_classes_of_the_user() -> None:
    it = Own(7, 3, True, 5)
    seen = take(it, 7)  # type: ignore[arg-type]
    drawn = Own.drawn
    assert_same_batches([it.batch(6), it.batch(7)], [seen[6], it.batch(7)])
    assert Own.drawn == drawn, "the epoch that is read is not drawn again"
    assert_same_batches([it.batch(place) for place in range(6)], seen[:6])
    it.close()


class Changing(Own):
    """Decides at the start of an epoch how many samples it has."""

    samples = 6

    def _set_index_array(self) -> None:
        self.n = self.samples
        self.index_array = np.arange(self.n)


def test_the_past_of_epochs_that_change_their_length_is_not_known() -> None:
    it = Changing(6, 3, True, 5)
    next(it)
    Changing.samples = 8
    with pytest.raises(InvalidArgumentError, match="changes the number of samples"):
        it.batch(40)
    it.close()


def test_an_iterator_is_collected_after_it(crops: Path) -> None:
    import weakref

    it = flow(crops)
    it.batch(3)
    gone = weakref.ref(it)
    del it
    gc.collect()
    assert gone() is None
