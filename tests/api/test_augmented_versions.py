"""`it.tta(n)`: n versions of each sample in the order of the data set, and the mean of predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCH,
    BATCHES,
    SAMPLES,
    SIZE,
    assert_same_batches,
    call_as_keras,
    flow,
    jitter,
    take,
)

from imageloom import (
    ArgumentTypeError,
    AugmentedVersions,
    BatchIndexError,
    ImageDataGenerator,
    InvalidArgumentError,
    Iterator,
    IteratorClosedError,
    StateMismatchError,
)
from imageloom._executors.shared import make_executor

X = np.random.RandomState(3).randint(0, 256, (11, 9, 9, 3)).astype("uint8")
TURNING: dict[str, Any] = {"rotation_range": 30, "horizontal_flip": True, "executor": "serial"}


def numbered(batch_size: int = 4, **given: Any) -> Any:
    """An iterator whose targets are the sample numbers."""
    return ImageDataGenerator(**TURNING).flow(X, np.arange(11), batch_size, seed=5, **given)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("batch_size", [1, 4, 6, 32])
def test_each_sample_has_its_versions_one_after_the_other(n: int, batch_size: int) -> None:
    versions = numbered(batch_size, shuffle=True).tta(n)
    batches = list(versions)
    assert len(batches) == len(versions) == versions.num_batches
    assert all(len(images) % n == 0 for images, _ in batches)
    assert max(len(images) for images, _ in batches) <= max(n, batch_size)
    targets = np.concatenate([targets for _, targets in batches])
    np.testing.assert_array_equal(targets, np.repeat(np.arange(11), n))
    np.testing.assert_array_equal(versions.average(targets), np.arange(11))
    np.testing.assert_array_equal(versions.samples, np.arange(11))
    images = np.concatenate([images for images, _ in batches])
    assert images.shape == (11 * n, 9, 9, 3)
    assert len({image.tobytes() for image in images}) == 11 * n, "all versions are different"


@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_executors_and_ways_to_read_give_the_same(kind: str, crops: Path) -> None:
    options = {**AUGMENTED, "preprocessing_function": jitter}
    expected = list(flow(crops, **options).tta(2))
    executor = make_executor(kind, 2, disable_gpu=True)
    it = flow(crops, executor, **options)
    with it, it.tta(2) as versions:
        assert_same_batches(list(versions), expected)
        assert_same_batches(take(versions, len(versions)), expected)  # type: ignore[arg-type]
        assert_same_batches([versions[i] for i in range(len(versions))], expected)
        assert_same_batches([versions[-1], versions[np.int64(0)]], [expected[-1], expected[0]])
        keras = [call_as_keras(lambda i=i: versions[i]) for i in (2, 0, 1)]  # type: ignore[misc]
        assert_same_batches(keras, [expected[i] for i in (2, 0, 1)])
        assert it.total_batches_seen == 0
        assert_same_batches(take(it, BATCHES), take(flow(crops, **options), BATCHES))
    executor.close()


def test_the_versions_are_drawn_from_numbers_of_their_own() -> None:
    """Neither those of training batches nor those of another seed; and the seed None is kept."""
    it = numbered(shuffle=False)
    trained = np.concatenate([it.batch(i)[0] for i in range(3 * len(it))])
    versions = np.concatenate([images for images, _ in it.tta(3)])
    assert not {x.tobytes() for x in trained} & {x.tobytes() for x in versions}
    other = ImageDataGenerator(**TURNING).flow(X, np.arange(11), 4, seed=6).tta(3)
    assert not np.array_equal(np.concatenate([images for images, _ in other]), versions)
    unseeded = ImageDataGenerator(**TURNING).flow(X, np.arange(11), 4)
    assert_same_batches(list(unseeded.tta(3)), list(unseeded.tta(3)))


def test_all_kinds_of_targets(crops: Path) -> None:
    for mode in ("categorical", "sparse", "input", None):
        it = flow(crops, class_mode=mode, **AUGMENTED)
        plain = flow(crops, class_mode=mode, shuffle=False)
        rows: list[Any] = [batch if isinstance(batch, tuple) else (batch,) for batch in it.tta(2)]
        assert sum(len(row[0]) for row in rows) == 2 * SAMPLES
        if mode in ("categorical", "sparse"):
            targets = np.concatenate([row[1] for row in rows])
            usual = np.concatenate([batch[1] for batch in take(plain, BATCHES)])
            np.testing.assert_array_equal(targets, np.repeat(usual, 2, axis=0))
        if mode == "input":
            assert all(np.array_equal(*row) for row in rows)


def test_masks_and_weights_of_data_frames(crops: Path) -> None:
    pd = pytest.importorskip("pandas")
    files = sorted(str(path) for path in (crops / "cat").glob("*.png"))
    frame = pd.DataFrame({"filename": files, "mask": files, "weight": np.arange(len(files))})
    it = ImageDataGenerator(**TURNING).flow_from_dataframe(
        frame, y_col="mask", class_mode="image", weight_col="weight", target_size=SIZE, seed=1
    )
    images, masks, weights = next(it.tta(3))
    assert weights.tolist() == np.repeat(np.arange(len(files)), 3).tolist()
    assert images.shape[:3] == masks.shape[:3] == (3 * len(files), *SIZE)


def test_a_validation_subset_without_augmentation_is_augmented_here() -> None:
    generator = ImageDataGenerator(
        **TURNING, validation_split=0.4, validation_augmentation_enabled=False
    )
    it = generator.flow(X, None, 4, seed=1, subset="validation", shuffle=False)
    first = next(it)[0]
    np.testing.assert_array_equal(first, X[0])
    versions = next(it.tta(4))
    assert len({version.tobytes() for version in versions}) == 4


def test_shards_have_all_samples_once_and_the_batches_of_the_whole() -> None:
    expected = list(numbered(2).tta(2))
    found: list[int] = []
    for index in range(4):
        shard = numbered(2, shard=(index, 4)).tta(2)
        batches = list(shard)
        assert len(batches) == len(shard)
        assert_same_batches(batches, expected[index::4])
        targets = np.concatenate([targets for _, targets in batches])
        np.testing.assert_array_equal(shard.average(targets), shard.samples)
        found += shard.samples.tolist()
    assert sorted(found) == list(range(11))


def test_it_goes_on_after_a_state() -> None:
    versions = numbered(6).tta(2)
    expected = list(versions)
    assert_same_batches(take(versions, 2), expected[:2])  # type: ignore[arg-type]
    state = json.loads(json.dumps(versions.state_dict()))
    again = numbered(6).tta(2)
    again.load_state_dict(state)
    assert_same_batches([again[0]], [expected[0]])
    assert_same_batches(list(again), expected[2:])
    assert_same_batches(list(again), expected)
    for other in (numbered(6).tta(3), numbered(4).tta(2), numbered(6, shard=(0, 2)).tta(2)):
        with pytest.raises(StateMismatchError, match=r"versions was|batch_size was|shard was"):
            other.load_state_dict(state)
    with pytest.raises(StateMismatchError):
        numbered(6).load_state_dict(state)


def test_a_loop_that_stops_early_begins_anew() -> None:
    versions = numbered(6).tta(2)
    for _ in versions:
        break
    assert len(list(versions)) == len(versions)


class TestAverage:
    """The mean over the versions."""

    def test_any_shape_and_structure(self) -> None:
        versions = numbered().tta(3)
        rows = np.random.RandomState(0).rand(33, 5, 2).astype("float32")
        mean = rows.reshape(11, 3, 5, 2).mean(1)
        found = versions.average(rows)
        np.testing.assert_allclose(found, mean, rtol=1e-6)
        assert found.dtype == np.float32
        several = versions.average({"a": rows, "b": [rows[:, 0], rows[:3]]})
        np.testing.assert_allclose(several["a"], mean, rtol=1e-6)
        np.testing.assert_allclose(several["b"][0], mean[:, 0], rtol=1e-6)
        assert several["b"][1].shape == (1, 5, 2), "of one batch"
        assert versions.average(np.arange(6)).tolist() == [1.0, 4.0]
        assert versions.average([0, 1, 5]).tolist() == [2.0]
        assert versions.average(rows.astype("float16")).dtype == np.float16

    @pytest.mark.parametrize("wrong", [3.0, "abc", None, ["a", "b", "c"]])
    def test_what_is_no_prediction(self, wrong: Any) -> None:
        with pytest.raises(ArgumentTypeError, match="what a model returns"):
            numbered().tta(3).average(wrong)

    def test_rows_that_are_missing(self) -> None:
        with pytest.raises(InvalidArgumentError, match=r"multiple of 3 rows.*\(32, 2\)"):
            numbered().tta(3).average(np.zeros((32, 2)))


@pytest.mark.frameworks("keras", "jax")
def test_keras_predicts_and_evaluates_on_one_line() -> None:
    import keras

    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    it = ImageDataGenerator(**TURNING, rescale=1 / 255).flow(X, np.zeros((11, 3)), 4, seed=5)
    versions = it.tta(3)
    predictions = versions.average(model.predict(versions, verbose=0))
    assert predictions.shape == (11, 3)
    by_hand = [versions.average(model.predict_on_batch(images)) for images, _ in versions]
    np.testing.assert_allclose(np.concatenate(by_hand), predictions, atol=1e-5)
    assert model.evaluate(versions, verbose=0) > 0
    assert isinstance(versions, keras.utils.PyDataset)


@pytest.mark.parametrize("n", [0, -1, 1.0, "2", None, True])
def test_numbers_that_are_none(n: Any) -> None:
    with pytest.raises((InvalidArgumentError, ArgumentTypeError), match="`n` must be an integer >= 1"):
        numbered().tta(n)


def test_a_generator_that_changes_nothing() -> None:
    plain = ImageDataGenerator(rescale=1 / 255, executor="serial").flow(X, None, 4)
    with pytest.raises(InvalidArgumentError, match=r"equal versions.*rotation_range=20"):
        plain.tta(5)
    assert len(list(plain.tta(1))) == 3
    off = ImageDataGenerator(**TURNING, random_transforms_enabled=False).flow(X, None, 4)
    with pytest.raises(InvalidArgumentError, match="random_transforms_enabled=False"):
        off.tta(5)
    drawing = ImageDataGenerator(preprocessing_function=jitter, executor="serial").flow(X, None, 4)
    assert len(np.unique(next(drawing.tta(4))[:, 0, 0, 0])) > 1


class Own(Iterator):
    def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
        return np.asarray(index_array)


def test_classes_that_make_batches_and_closed_iterators() -> None:
    own = Own(6, 2, True, 1)
    with pytest.raises(InvalidArgumentError, match="batches of Own"):
        own.tta(2)
    own.close()
    it = numbered()
    versions = it.tta(2)
    it.close()
    with pytest.raises(IteratorClosedError):
        it.tta(2)
    assert len(list(versions)) == len(versions), "it has a channel of its own"
    versions.close()
    with pytest.raises(IteratorClosedError):
        next(versions)


def test_its_edges() -> None:
    versions = numbered().tta(2)
    assert isinstance(versions, AugmentedVersions)
    assert "2 of each of 11 samples, 6 batches" in repr(versions)
    for index in (6, -7):
        with pytest.raises(BatchIndexError, match="has length 6"):
            versions[index]
    with pytest.raises(ArgumentTypeError, match="must be an integer"):
        versions["a"]  # type: ignore[index]
    empty = ImageDataGenerator(**TURNING).flow(np.zeros((0, 4, 4, 3))).tta(2)
    assert list(empty) == []
    assert versions.batch_size == BATCH
