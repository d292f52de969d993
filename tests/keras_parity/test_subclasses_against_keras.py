"""Classes that a program derives from the iterators: the same class over Keras' and over ours."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from both_iterators import BATCH, SAMPLES, SEED, assert_alike, frame, generators, make_folder
from executor_support import wait_for
from keras.src.legacy.preprocessing import image as keras_classes
from keras.utils import PyDataset, img_to_array, load_img

import imageloom

LENGTH: Final = -(-SAMPLES // BATCH)
X: Final = np.random.RandomState(8).uniform(0, 255, (SAMPLES, 8, 8, 3)).astype("float32")
EXECUTORS: Final = [
    "serial",
    pytest.param("threads", marks=pytest.mark.slow),
    pytest.param("processes", marks=pytest.mark.slow),
]
Derive = Callable[[Any], Any]  # of a module with the classes, a class


class KerasModule:
    """The classes of Keras, by the names that ours have."""

    Iterator = keras_classes.Iterator
    DirectoryIterator = keras_classes.DirectoryIterator
    NumpyArrayIterator = keras_classes.NumpyArrayIterator
    DataFrameIterator = keras_classes.DataFrameIterator


@pytest.fixture(autouse=True)
def no_threads_of_other_tests() -> None:
    """Threads that finish a batch of a closed iterator use NumPy's global generator, as Keras does."""
    wait_for(
        lambda: not any(thread.name == "imageloom" for thread in threading.enumerate()),
        "the threads of earlier tests to end",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven pictures in two classes."""
    return make_folder(tmp_path_factory.mktemp("derived") / "photos")


def arrays(kind: Any, generator: Any, folder: Path) -> Any:
    """An iterator of a class over arrays, by Keras' signature."""
    del folder
    return kind(X, np.arange(SAMPLES), generator, BATCH, True, None, SEED)


def directory(kind: Any, generator: Any, folder: Path) -> Any:
    """An iterator of a class over a folder."""
    return kind(str(folder), generator, (8, 8), batch_size=BATCH, seed=SEED)


def dataframe(kind: Any, generator: Any, folder: Path) -> Any:
    """An iterator of a class over a data frame."""
    return kind(frame(folder), str(folder), generator, target_size=(8, 8), batch_size=BATCH, seed=SEED)


def mixed(base: Any) -> Any:
    """Mixes the images of a batch, with numbers that it draws after the original method."""

    class Mixed(base):  # type: ignore[misc]
        alpha = 0.4

        def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
            x, y = super()._get_batches_of_transformed_samples(index_array)
            share = np.random.beta(self.alpha, self.alpha, (len(x), 1, 1, 1)).astype("float32")
            order = np.random.permutation(len(x))
            return x * share + x[order] * (1 - share), (y, y[order])

    return Mixed


def drawn_before(base: Any) -> Any:
    """Draws before the original method is called, twice."""

    class DrawnBefore(base):  # type: ignore[misc]
        def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
            chosen = np.random.randint(0, self.n, len(index_array))
            first = super()._get_batches_of_transformed_samples(index_array)
            second = super()._get_batches_of_transformed_samples(chosen)
            return [first[0], second[0]], first[1]

    return DrawnBefore


def by_hand(base: Any) -> Any:
    """Computes every image itself, with the methods of the generator."""

    class ByHand(base):  # type: ignore[misc]
        def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
            batch = np.zeros((len(index_array), 8, 8, 3), self.dtype)
            for row, index in enumerate(index_array):
                x = self._image(index)
                params = self.image_data_generator.get_random_transform(x.shape)
                x = self.image_data_generator.apply_transform(x, params)
                batch[row] = self.image_data_generator.standardize(x)
            return batch, np.array(index_array)

        def _image(self, index: int) -> Any:
            if hasattr(self, "x"):
                return self.x[index].astype(self.dtype)
            loaded = load_img(self.filepaths[index], target_size=self.target_size)
            return img_to_array(loaded)

    return ByHand


def ordered_by_user(base: Any) -> Any:
    """Draws a weighted order at the start of each epoch."""

    class Weighted(base):  # type: ignore[misc]
        def _set_index_array(self) -> None:
            weights = np.arange(1.0, self.n + 1)
            self.index_array = np.random.choice(self.n, self.n, p=weights / weights.sum())

    return Weighted


def order_changed(base: Any) -> Any:
    """Calls the original method, and changes what it has assigned."""

    class Changed(base):  # type: ignore[misc]
        def _set_index_array(self) -> None:
            super()._set_index_array()
            self.index_array[0] = 5
            self.index_array = self.index_array[::-1]

    return Changed


def flowing(base: Any) -> Any:
    """Yields the index arrays itself."""

    class Flowing(base):  # type: ignore[misc]
        def _flow_index(self) -> Any:
            while True:
                for start in range(0, 9, 2):
                    np.random.seed(start)
                    yield np.arange(start, start + 2)

    return Flowing


def stepping(base: Any) -> Any:
    """Takes the indices from the generator, as classes for Keras 2 do it."""

    class Stepping(base):  # type: ignore[misc]
        def __next__(self) -> Any:
            with self.lock:
                index_array = next(self.index_generator)
            return self._get_batches_of_transformed_samples(index_array), index_array

    return Stepping


DERIVED: Final = [
    mixed, drawn_before, by_hand, ordered_by_user, order_changed, flowing, stepping,
]  # fmt: skip
FLOWS: Final = {
    "NumpyArrayIterator": arrays,
    "DirectoryIterator": directory,
    "DataFrameIterator": dataframe,
}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("derive", DERIVED)
def test_derived_classes(derive: Derive, name: str, executor: str, folder: Path) -> None:
    ours, theirs = generators(executor)
    reference = FLOWS[name](derive(getattr(KerasModule, name)), theirs, folder)
    # Before ours, whose threads use NumPy's global generator, too.
    wanted = [next(reference) for _ in range(2 * LENGTH + 1)]
    with FLOWS[name](derive(getattr(imageloom, name)), ours, folder) as mine:
        assert isinstance(mine, getattr(imageloom, name))
        assert isinstance(mine, imageloom.Iterator)
        for number, batch in enumerate(wanted):
            assert_alike(next(mine), batch, f"batch {number}")
        np.testing.assert_array_equal(mine.index_array, reference.index_array)


def from_numbers(base: Any) -> Any:
    """A class whose batches have several inputs, as there are many for Keras' base class."""

    class Pairs(base):  # type: ignore[misc]
        def __init__(self, images: Any, batch_size: int = BATCH, seed: int = SEED) -> None:
            self.images = images
            self.shift = 1.0
            super().__init__(len(images), batch_size, True, seed)

        def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
            noise = np.random.normal(size=(len(index_array), 8, 8, 3))
            left = self.images[index_array] + self.shift
            return (left, left + noise), np.random.randint(0, 9, len(index_array))

    return Pairs


@pytest.mark.slow
def test_classes_derived_from_the_base_class() -> None:
    mine = from_numbers(imageloom.Iterator)(X)
    wanted = from_numbers(KerasModule.Iterator)(X)
    with mine:
        assert len(mine) == len(wanted) == LENGTH
        for batch in range(LENGTH + 2):
            assert_alike(next(mine), next(wanted), f"batch {batch}")
        assert mine.is_running
        mine.shift = wanted.shift = 7.0
        mine.images = wanted.images = X * 2
        for batch in range(LENGTH):
            assert_alike(next(mine), next(wanted), f"batch {batch} after it")


def test_the_base_class_alone_has_no_batches() -> None:
    it = imageloom.Iterator(4, 2, False, None)
    with pytest.raises(NotImplementedError, match="_get_batches_of_transformed_samples"):
        next(it)
    assert next(it.index_generator).tolist() in ([0, 1], [2, 3])


@pytest.mark.slow
def test_what_cannot_travel_runs_in_threads(folder: Path) -> None:
    class Tied(imageloom.DirectoryIterator):
        def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
            self.seen.append(threading.current_thread().name)
            return super()._get_batches_of_transformed_samples(index_array)

    ours, theirs = generators("processes")
    reference = directory(KerasModule.DirectoryIterator, theirs, folder)
    wanted = [next(reference) for _ in range(LENGTH)]
    with directory(Tied, ours, folder) as it:
        it.seen = []
        it.handle = open(folder / "log", "w")  # noqa: SIM115
        with it.handle, pytest.warns(UserWarning, match=r"handle.*threads"):
            batches = [next(it) for _ in range(LENGTH)]
        for number, batch in enumerate(batches):
            assert_alike(batch, wanted[number])
        assert it.seen, "what the method assigns and changes, the iterator has"
    (folder / "log").unlink()


@pytest.mark.parametrize("name", FLOWS)
def test_classes_are_constructed_as_those_of_keras(name: str, folder: Path) -> None:
    ours, theirs = generators()
    with FLOWS[name](getattr(imageloom, name), ours, folder) as mine:
        wanted = FLOWS[name](getattr(KerasModule, name), theirs, folder)
        for _ in range(LENGTH + 1):
            assert_alike(next(mine), next(wanted))


def test_a_batch_of_any_samples_draws_from_the_global_generator(folder: Path) -> None:
    ours, theirs = generators()
    pair = [
        directory(imageloom.DirectoryIterator, ours, folder),
        directory(KerasModule.DirectoryIterator, theirs, folder),
    ]
    batches = []
    for it in pair:
        np.random.seed(77)
        batches.append([it._get_batches_of_transformed_samples(np.array([4, 0])) for _ in range(2)])
    assert_alike(*batches)


@pytest.mark.parametrize("formats", [("dat", "png"), ("png", "gif")])
def test_formats_and_class_modes_of_a_class(folder: Path, formats: tuple[str, ...]) -> None:
    (folder / "cats" / "more.dat").write_bytes((folder / "cats" / "00.png").read_bytes())
    ours, theirs = generators()
    found = []
    for module, generator in ((imageloom, ours), (KerasModule, theirs)):

        class Own(module.DirectoryIterator):  # type: ignore[misc,name-defined]
            white_list_formats = formats
            allowed_class_modes = {"sparse"}  # noqa: RUF012

        with pytest.raises(ValueError, match="class_mode"):
            Own(str(folder), generator)
        found.append(Own(str(folder), generator, class_mode="sparse").filenames)
    (folder / "cats" / "more.dat").unlink()
    assert found[0] == found[1]


class Wrapper(PyDataset):  # type: ignore[misc]
    """A data set of the user that changes the batches of an iterator."""

    def __init__(self, it: Any, *, passes_on: bool) -> None:
        super().__init__()
        self.it, self.passes_on = it, passes_on
        self.seen: list[Any] = []

    def __len__(self) -> int:
        return len(self.it)

    def __getitem__(self, index: int) -> Any:
        self.seen.append(self.it[index])
        return self.seen[-1]

    def on_epoch_end(self) -> None:
        if self.passes_on:
            self.it.on_epoch_end()


@pytest.mark.frameworks("keras")
@pytest.mark.slow
@pytest.mark.parametrize("passes_on", [True, False])
def test_wrapped_iterators_reach_keras(passes_on: bool) -> None:
    import keras

    ours, _ = generators()
    it = ours.flow((X, np.arange(SAMPLES)), np.arange(SAMPLES), batch_size=BATCH, seed=SEED)
    image, number = keras.Input((8, 8, 3)), keras.Input(())
    flat = keras.layers.Flatten()(image)
    both = keras.layers.Concatenate()([flat, keras.layers.Reshape((1,))(number)])
    model = keras.Model([image, number], keras.layers.Dense(1)(both))
    model.compile(loss="mse")
    wrapper = Wrapper(it, passes_on=passes_on)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(wrapper, epochs=3, verbose=0, shuffle=False)
    assert all(isinstance(x, tuple) for x, _ in wrapper.seen)
    batches = [x[0].tobytes() for x, _ in wrapper.seen if len(x[0]) == BATCH]
    assert len(set(batches)) >= 3 * (LENGTH - 1), "every epoch has transforms of its own"
