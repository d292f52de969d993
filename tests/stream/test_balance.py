"""Balanced epochs and class weights."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import assert_same_batches, take
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imageloom import ImageDataGenerator, InvalidArgumentError, StateMismatchError
from imageloom._stream.order import Sampler

COUNTS = {"cat": 11, "dog": 3, "eel": 1}
SAMPLES = sum(COUNTS.values())


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uneven")
    for number, (name, count) in enumerate(COUNTS.items()):
        (folder / name).mkdir()
        for i in range(count):
            Image.new("L", (6, 6), 40 * number + i).save(folder / name / f"{i}.png")
    return folder


def open_folder(folder: Path, executor: str = "serial", **options: Any) -> Any:
    usual: dict[str, Any] = {"target_size": (6, 6), "color_mode": "grayscale", "class_mode": "sparse"}
    generator = ImageDataGenerator(executor=executor, cores=2, rotation_range=20)
    return generator.flow_from_directory(
        folder, batch_size=4, seed=3, **(usual | {"balance": True} | options)
    )


def labels(it: Any, epochs: int = 1) -> list[int]:
    return [int(y) for _, batch in take(it, epochs * len(it)) for y in batch]


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 5),
)
def test_every_epoch_draws_all_classes_equally_often(
    counts: list[int], batch_size: int, seed: int, epoch: int
) -> None:
    classes = np.repeat(np.arange(len(counts)), counts)
    sampler = Sampler(len(classes), batch_size, shuffle=True, seed=seed, class_numbers=classes)
    order = sampler.order(epoch)
    assert len(order) == len(classes)
    found = Counter(classes[order].tolist())
    assert max(found.values()) - min(found.get(c, 0) for c in range(len(counts))) <= 1
    again = Sampler(len(classes), batch_size, shuffle=True, seed=seed, class_numbers=classes)
    np.testing.assert_array_equal(again.order(epoch), order)


def test_samples_within_a_class_are_drawn_evenly() -> None:
    classes = np.repeat([0, 1], [4, 12])
    sampler = Sampler(16, 4, shuffle=True, seed=1, class_numbers=classes)
    drawn = np.bincount(np.concatenate([sampler.order(e) for e in range(2000)]), minlength=16)
    # 8 of 4 and 8 of 12 an epoch, each binomial: five standard deviations.
    for members, mean in ((drawn[:4], 4000.0), (drawn[4:], 8000 / 6)):
        assert np.abs(members - mean).max() < 5 * np.sqrt(mean)


def test_frozen_balanced_order() -> None:
    """Written down once: whoever changes it changes everybody's training runs."""
    classes = np.repeat([0, 1, 2], [5, 2, 1])
    sampler = Sampler(8, 4, shuffle=True, seed=7, class_numbers=classes)
    assert sampler.order(0).tolist() == GOLDEN[0]
    assert sampler.order(1).tolist() == GOLDEN[1]


GOLDEN = [[6, 7, 5, 7, 4, 1, 6, 3], [6, 1, 7, 5, 2, 5, 0, 7]]


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_batches_are_balanced_in_every_executor(executor: str, uneven: Path) -> None:
    with open_folder(uneven) as it:
        expected = take(it, 2 * len(it))
    with open_folder(uneven, executor) as it:
        assert len(it) == 4
        assert_same_batches(take(it, 2 * len(it)), expected)
        it.reset()
        assert Counter(labels(it)) == {0: 5, 1: 5, 2: 5}


def test_a_balanced_stream_is_resumed(uneven: Path) -> None:
    whole = take(open_folder(uneven), 12)
    it = open_folder(uneven)
    take(it, 5)
    state = it.state_dict()
    resumed = open_folder(uneven)
    resumed.load_state_dict(state)
    assert_same_batches(take(resumed, 7), whole[5:])
    with pytest.raises(StateMismatchError, match="balance"):
        open_folder(uneven, balance=False).load_state_dict(state)


def test_arrays_and_frames_are_balanced_too(uneven: Path) -> None:
    x = np.zeros((SAMPLES, 4, 4, 1), np.uint8)
    numbers = np.repeat(range(3), list(COUNTS.values()))
    generator = ImageDataGenerator(executor="serial")
    for y in (numbers, numbers[:, None].astype(float), np.eye(3)[numbers]):
        it = generator.flow(x, y, batch_size=SAMPLES, seed=1, balance=True)
        received = next(it)[1]
        classes = received.argmax(axis=1) if received.shape[1:] == (3,) else received.ravel()
        assert Counter(classes.astype(int).tolist()) == {0: 5, 1: 5, 2: 5}
    names = [f"{name}/{i}.png" for name, count in COUNTS.items() for i in range(count)]
    frame = pd.DataFrame({"filename": names, "class": [name.partition("/")[0] for name in names]})
    flow = generator.flow_from_dataframe(
        frame, uneven, class_mode="sparse", batch_size=4, seed=1, balance=True, target_size=(6, 6)
    )
    assert Counter(labels(flow)) == {0: 5, 1: 5, 2: 5}


def test_class_weights_are_those_of_the_formula(uneven: Path) -> None:
    it = open_folder(uneven, balance=False)
    expected = {number: SAMPLES / (3 * count) for number, count in enumerate(COUNTS.values())}
    assert it.class_weights() == pytest.approx(expected)
    assert sum(it.class_weights()[int(c)] for c in it.classes) == pytest.approx(SAMPLES)
    assert open_folder(uneven, balance=False, class_mode=None).class_weights() == it.class_weights()


@pytest.mark.parametrize("y", [None, np.linspace(0, 1, 6), np.ones((6, 2)), np.full(6, -1)])
def test_samples_without_one_class_each_are_refused(y: Any) -> None:
    generator = ImageDataGenerator(executor="serial")
    x = np.zeros((6, 4, 4, 1), np.uint8)
    with pytest.raises(InvalidArgumentError, match="one class each"):
        generator.flow(x, y, balance=True)
    with pytest.raises(InvalidArgumentError, match="class_weights"):
        generator.flow(x, y).class_weights()


def test_a_balanced_order_is_a_shuffled_one(uneven: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="shuffle=False"):
        open_folder(uneven, shuffle=False)
    it = open_folder(uneven)
    with pytest.raises(InvalidArgumentError, match="shuffle=False"):
        it.shuffle = False
    assert it.shuffle
    assert it.balance
