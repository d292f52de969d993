"""`flow` against Keras' own: batches, errors, warnings; and memory-mapped arrays against memory."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from configurations import Agreement, Configuration, array_configuration
from numpy.typing import NDArray
from pictures import photograph
from recorded_warnings import without_ours
from reference import both_generators, keras_generator, quiet

from imageloom import ImageDataGenerator
from imageloom._errors import ImageLoomError, InvalidArgumentError

EPOCHS = 3

# Random options hit Keras' exchanged axes all the time; the warning has tests of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Keras exchanges two axes")


@pytest.mark.parametrize("number", range(104))
def test_three_epochs_are_those_of_keras(number: int) -> None:
    compare_flows(array_configuration(number), executor="serial")


@pytest.mark.parametrize("number", range(1000, 1004))
def test_worker_processes_give_what_keras_gives(number: int) -> None:
    compare_flows(array_configuration(number), executor="processes", cores=2)


@pytest.mark.long
@pytest.mark.parametrize("start", range(2000, 3500, 100))
def test_many_more_configurations(start: int) -> None:
    for number in range(start, start + 100):
        compare_flows(array_configuration(number), executor="serial")


def compare_flows(config: Configuration, **background: Any) -> None:
    ours = ImageDataGenerator(**config.generator, **background)
    theirs = keras_generator(**config.generator)
    try:
        expected = theirs.flow(**config.flow)
    except ValueError as error:
        with pytest.raises(InvalidArgumentError, match=re.escape(str(error)[:60])):
            ours.flow(**config.flow)
        return
    agreement = Agreement()
    with ours.flow(**config.flow) as iterator:
        assert (len(iterator), iterator.n) == (len(expected), expected.n)
        assert iterator.index_array is expected.index_array is None
        for _ in range(EPOCHS):
            for _ in range(len(expected)):
                with quiet():
                    wanted = next(expected)
                agreement.add(next(iterator), wanted)
                np.testing.assert_array_equal(iterator.index_array, expected.index_array)
    agreement.check(config)


def test_the_configurations_reach_every_kind_of_argument() -> None:
    flows = [array_configuration(number).flow for number in range(104)]
    generators = [array_configuration(number).generator for number in range(104)]
    images = [flow["x"][0] if isinstance(flow["x"], (tuple, list)) else flow["x"] for flow in flows]
    assert {x.dtype.name for x in images} == {"uint8", "float32", "float64", "int16"}
    assert {options["dtype"] for options in generators} == {"float32", "float64", "uint8"}
    assert {type(flow["x"]) for flow in flows} == {np.ndarray, tuple, list}
    further = [flow["x"][1] for flow in flows if isinstance(flow["x"], tuple)]
    assert {type(given) for given in further} == {np.ndarray, list}
    shapes = {
        x.shape[-1 if options["data_format"] == "channels_last" else 1]
        for x, options in zip(images, generators, strict=True)
    }
    assert shapes == {1, 3, 4}
    assert {flow.get("subset") for flow in flows} == {None, "training", "validation"}
    assert {np.asarray(flow["y"]).dtype.kind for flow in flows} == {"O", "i", "f", "U"}
    assert sum("sample_weight" in flow for flow in flows) > 20


def test_a_subset_of_a_list_of_names_is_as_wide_as_its_own_longest_name() -> None:
    names = ["a", "b", "a", "b", "a", "the longest"]
    options: dict[str, Any] = {"subset": "validation", "ignore_class_split": True, "shuffle": False}
    ours, theirs = both_generators(validation_split=0.5)
    labels, wanted = (next(g.flow(arrays(6), names, **options))[1] for g in (ours, theirs))
    assert labels.tolist() == wanted.tolist()
    assert labels.dtype == wanted.dtype


# What is refused, and what is warned of


def arrays(count: int = 8, channels: int = 3) -> NDArray[np.float32]:
    return np.zeros((count, 6, 6, channels), np.float32)


NUMBERS = np.arange(8)


@pytest.mark.parametrize(
    "options",
    [
        {"x": (arrays(), NUMBERS[1:])},
        {"x": [arrays(), [NUMBERS, NUMBERS[1:]]]},
        {"x": arrays(), "y": NUMBERS[1:]},
        {"x": arrays(), "y": list(range(9))},
        {"x": arrays(), "y": NUMBERS, "sample_weight": NUMBERS[1:]},
        {"x": arrays(), "sample_weight": NUMBERS[1:]},
        {"x": arrays(), "subset": "test"},
        {"x": arrays(), "y": NUMBERS, "subset": ""},
        {"x": arrays(), "y": NUMBERS, "subset": "training"},
        {"x": arrays(), "y": NUMBERS, "subset": "validation"},
        {"x": (arrays(), NUMBERS), "y": NUMBERS.astype(str), "subset": "validation"},
        {"x": arrays()[0]},
        {"x": arrays()[..., 0]},
        {"x": arrays()[None]},
    ],
    ids=range(14),
)
def test_keras_refuses_it_too_with_the_same_built_in_error(options: dict[str, Any]) -> None:
    ours, theirs = both_generators(validation_split=0.5)
    with pytest.raises(ValueError) as wanted:  # noqa: PT011 - which one, is compared
        theirs.flow(**options)
    with pytest.raises(type(wanted.value)) as caught:
        ours.flow(**options)
    assert isinstance(caught.value, ImageLoomError)
    # Whoever looks for Keras' words in the message finds them.
    first_words = re.split(r"[:.(]", str(wanted.value))[0].strip()
    assert first_words in str(caught.value)


def test_an_index_beyond_the_length_is_the_same_built_in_error() -> None:
    ours, theirs = both_generators()
    expected, iterator = theirs.flow(arrays()), ours.flow(arrays())
    for wrong in (1, 7):
        with pytest.raises(ValueError, match=f"retrieve element {wrong}.*length 1"):
            expected[wrong]
        with pytest.raises(ValueError, match=f"{wrong}.*1"):
            iterator[wrong]


@pytest.mark.parametrize(
    ("data_format", "shape", "warned"),
    [
        ("channels_last", (8, 6, 6, 2), True),
        ("channels_last", (8, 3, 6, 6), True),
        ("channels_first", (8, 6, 6, 3), True),
        ("channels_first", (8, 5, 6, 6), True),
        *[("channels_last", (8, 6, 6, channels), False) for channels in (1, 3, 4)],
        *[("channels_first", (8, channels, 6, 6), False) for channels in (1, 3, 4)],
    ],
)
def test_the_warning_of_an_odd_number_of_channels_is_that_of_keras(
    data_format: str, shape: tuple[int, ...], warned: bool
) -> None:
    told = []
    for generator in both_generators(data_format=data_format):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            next(generator.flow(np.zeros(shape, np.float32)))
        told.append(without_ours(caught))
    assert told[0] == told[1]
    assert [category for category, _ in told[0]] == [UserWarning] * warned


def test_weights_belong_to_their_images_in_a_subset_too() -> None:
    """Keras gives the training rows the weights of the first rows."""
    x = np.arange(10, dtype=np.float32)[:, None, None, None] * np.ones((1, 4, 4, 3), np.float32)
    generator = ImageDataGenerator(executor="serial", validation_split=0.3)
    rows = {"training": range(3, 10), "validation": range(3)}
    for subset, expected in rows.items():
        iterator = generator.flow(
            x, np.arange(10), batch_size=4, sample_weight=np.arange(10) / 8, subset=subset, seed=2,
            ignore_class_split=True,
        )  # fmt: skip
        seen = []
        for _ in range(len(iterator)):
            images, numbers, weights = next(iterator)
            np.testing.assert_array_equal(images[:, 0, 0, 0], numbers)
            np.testing.assert_array_equal(weights, numbers / 8)
            seen += numbers.tolist()
        assert sorted(seen) == list(expected)


@pytest.mark.parametrize("x_dtype", ["uint8", "float32", "float64", "int16"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_the_source_is_never_changed_and_the_dtype_is_that_of_the_generator(
    x_dtype: str, dtype: str
) -> None:
    x = np.stack([photograph("coffee", 20, 20, variant=i) for i in range(4)]).astype(x_dtype)
    before = x.copy()
    generator = ImageDataGenerator(executor="serial", rotation_range=30, dtype=dtype)
    batch = next(generator.flow(x, seed=1))
    batch[:] = 0
    assert batch.dtype == dtype
    np.testing.assert_array_equal(x, before)
    assert x.dtype == x_dtype


# Memory-mapped arrays, which workers open by themselves

SHAPE = (12, 16, 18, 3)
AUGMENTED: dict[str, Any] = {"rotation_range": 25, "zoom_range": 0.2, "brightness_range": (0.6, 1.3)}


@pytest.fixture(scope="module")
def in_processes() -> Iterator[ImageDataGenerator]:
    """One pair of workers for all the arrays, as starting them takes longest."""
    generator = ImageDataGenerator(executor="processes", cores=2, **AUGMENTED)
    with generator.flow(np.zeros(SHAPE)) as keeps_the_workers:
        next(keeps_the_workers)
        yield generator


def pixels(dtype: str) -> NDArray[Any]:
    images = [photograph("rocket", SHAPE[1], SHAPE[2], variant=i) for i in range(SHAPE[0])]
    return np.stack(images).astype(dtype)


def mapped(path: Path, mode: Any, dtype: str, offset: int = 0, order: Any = "C") -> NDArray[Any]:
    """The pixels as a memmap of that mode, behind `offset` other bytes."""
    if mode != "w+":
        content = pixels(dtype)
        path.write_bytes(b"?" * offset + content.tobytes(order))
    array = np.memmap(path, dtype, mode, offset, SHAPE, order)
    if mode == "w+":
        array[:] = pixels(dtype)
    if mode in ("r+", "w+", "c"):  # not flushed, and with "c" never to be in the file
        array[3] = 255 - array[3]
    return array


VIEWS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "whole": lambda a: a,
    "slice": lambda a: a[2:11],
    "every second row": lambda a: a[1::2],
    "reversed": lambda a: a[::-1],
    "mirrored": lambda a: a[3:, :, ::-1],
    "upside down, stepped": lambda a: a[::-2, ::-1],
    "transposed": lambda a: a.transpose(0, 2, 1, 3),
    "colours reversed": lambda a: a[..., ::-1],
    "one colour": lambda a: a[..., 1:2],
    "cut out": lambda a: a[:, 2:-3, 4:-5],
    "repeated": lambda a: np.broadcast_to(a[5], a.shape, subok=True),
    "plain array of it": lambda a: np.asarray(a)[4:],
    "view of a view": lambda a: a[1:][::2][::-1],
    "picked": lambda a: a[[5, 3, 3, 0]],
    "computed": lambda a: a[2:8] // 2,
    "flat and back": lambda a: a.reshape(-1)[: 6 * 864].reshape(6, 16, 18, 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("mode", ["r", "r+", "w+", "c"])
def test_a_memmap_gives_the_bytes_of_the_array_in_memory(
    mode: str, view: str, in_processes: ImageDataGenerator, tmp_path: Path
) -> None:
    array = VIEWS[view](mapped(tmp_path / "pixels.raw", mode, "uint8"))
    compare_with_memory(array, in_processes)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("offset", [0, 1, 128, 4096, 5000, 70_001])
@pytest.mark.parametrize("dtype", ["uint8", "<i2", ">i2", ">f4", "<f8", "bool"])
def test_a_memmap_of_any_dtype_may_start_anywhere_in_its_file(
    dtype: str, offset: int, order: Any, in_processes: ImageDataGenerator, tmp_path: Path
) -> None:
    path = tmp_path / "pixels.raw"
    path.write_bytes(b"?" * offset + pixels(dtype).tobytes(order))
    array = np.memmap(path, dtype, "r", offset, SHAPE, order)
    np.testing.assert_array_equal(array, pixels(dtype))
    for part in (array, array[::-1], array[5:]):
        compare_with_memory(part, in_processes)


@pytest.mark.slow
def test_a_memmap_stays_what_it_is_when_another_file_takes_its_name(
    in_processes: ImageDataGenerator, tmp_path: Path
) -> None:
    assert survives_a_new_file(tmp_path, in_processes)  # whose locals no traceback keeps alive


def survives_a_new_file(folder: Path, in_processes: ImageDataGenerator) -> bool:
    array = mapped(folder / "pixels.raw", "r", "uint8")
    (255 - array).tofile(folder / "other.raw")
    (folder / "other.raw").replace(folder / "pixels.raw")
    np.testing.assert_array_equal(array, pixels("uint8"))
    here = ImageDataGenerator(executor="serial", **AUGMENTED).flow(pixels("uint8"), seed=1)
    with quiet(), in_processes.flow(array, seed=1) as iterator:
        return np.array_equal(next(iterator), next(here))


@pytest.mark.slow
def test_a_memmap_of_an_npy_file_and_by_a_relative_name(
    in_processes: ImageDataGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "pixels.npy", pixels("uint8"))
    monkeypatch.chdir(tmp_path)
    for mode in ("r", "r+", "c"):
        compare_with_memory(np.load("pixels.npy", mmap_mode=mode)[2:], in_processes)
    np.memmap("raw", np.uint8, "w+", shape=SHAPE)[:] = pixels("uint8")
    compare_with_memory(np.memmap("raw", np.uint8, "r", shape=SHAPE), in_processes)


def compare_with_memory(array: NDArray[Any], in_processes: ImageDataGenerator) -> None:
    memory = np.array(array, order="C", subok=False)
    assert type(memory) is np.ndarray
    options: dict[str, Any] = {"batch_size": 5, "seed": 4}
    numbers = np.arange(len(memory))
    here = ImageDataGenerator(executor="serial", **AUGMENTED).flow(memory, numbers, **options)
    with quiet(), in_processes.flow(array, numbers, **options) as iterator:
        for _ in range(len(here) + 1):
            images, labels = next(iterator)
            wanted, wanted_labels = next(here)
            np.testing.assert_array_equal(images, wanted)
            np.testing.assert_array_equal(labels, wanted_labels)
