"""`get_batch_function`: the user's own function makes whole batches, in the background."""

from __future__ import annotations

import functools
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import BATCH, BATCHES, Lent, flow, take
from numpy.typing import NDArray
from programs import run_program

from imageloom import ImageDataGenerator, ParallelProcessParams, img_to_array, load_img
from imageloom._errors import BatchShapeError, InvalidArgumentError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

Files = list[str]


@pytest.fixture(scope="module")
def executors() -> Iterator[dict[str, Executor | None]]:
    """Each kind of executor, for all tests of this module; None is the foreground."""
    made = {name: make_executor(name, 2, disable_gpu=True) for name in ("threads", "processes")}
    yield {"serial": None, **made}
    for executor in made.values():
        executor.close()


@pytest.fixture(params=["serial", "threads", "processes"])
def executor(request: pytest.FixtureRequest, executors: dict[str, Executor | None]) -> Executor | None:
    return executors[request.param]


def pictures(params: ParallelProcessParams, filenames: Files) -> NDArray[np.float32]:
    """What the library itself would read, for images of 40 x 48."""
    assert params.directory is not None
    images = [load_img(Path(params.directory) / name) for name in filenames]
    return np.stack([img_to_array(image.resize((24, 24))) for image in images])


def told(batch_index: int, filenames: Files, classes: list[int], params: Any) -> Any:
    """As in the original's documents; the targets tell what it was called with."""
    x = pictures(params, filenames)
    return batch_index, (x, (batch_index, filenames, classes, params.rng.random(), np.random.random()))


def assert_equal(received: Any, expected: Any) -> None:
    """Structures of arrays, with their types."""
    assert type(received) is type(expected)
    if isinstance(expected, (tuple, list)):
        assert len(received) == len(expected)
        for part, right in zip(received, expected, strict=True):
            assert_equal(part, right)
    elif isinstance(expected, dict):
        assert_equal(list(received.items()), list(expected.items()))
    elif isinstance(expected, np.ndarray):
        assert received.dtype == expected.dtype
        np.testing.assert_array_equal(received, expected)
    else:
        assert received == expected


def batches_of(
    function: Callable[..., Any], folder: Path, executor: Executor | None, count: int, **options: Any
) -> list[Any]:
    with flow(folder, executor, get_batch_function=function, **options) as it:
        return take(it, count)


# What it is called with


@pytest.mark.slow
def test_it_is_told_number_files_and_classes_of_the_batch(
    crops: Path, executor: Executor | None
) -> None:
    with flow(crops, executor, get_batch_function=told) as it:
        for position, (images, about) in enumerate(take(it, BATCHES + 2)):
            number, files, classes = about[:3]
            assert number == position % BATCHES
            assert len(files) == len(images) == (BATCH if number < BATCHES - 1 else 3)
            assert all(isinstance(file, str) for file in files)
            assert classes == [it.class_indices[Path(file).parts[0]] for file in files]
            assert {type(number) for number in classes} == {int}
        assert it[4][1][0] == 4


@pytest.mark.slow
def test_its_batches_are_those_of_the_stream_in_every_executor(
    crops: Path, executors: dict[str, Executor | None]
) -> None:
    with flow(crops) as it:
        files = [
            [it.filenames[i] for i in it._stream.order.sampler().spec(p).indices] for p in range(8)
        ]
    expected = batches_of(told, crops, None, 8)
    assert [about[1] for _, about in expected] == files
    assert len({about[3] for _, about in expected}) == 8, "each batch has a stream of its own"
    assert_equal(batches_of(told, crops, executors["processes"], 8), expected)
    for (images, about), (x, right) in zip(
        batches_of(told, crops, executors["threads"], 8), expected, strict=True
    ):
        np.testing.assert_array_equal(images, x)
        assert about[:4] == right[:4], "all but what it draws from the global state"


def test_it_is_told_about_the_iterator(crops: Path, executor: Executor | None) -> None:
    def describe(number: int, files: Files, classes: list[int], params: Any) -> Any:
        names = ("class_indices", "n_classes", "subset", "batch_shape", "target_size", "class_mode",
                 "dtype", "color_mode", "split")  # fmt: skip
        own = params.image_data_generator.rotation_range, callable(params.get_batch_function)
        return number, [*(getattr(params, name) for name in names), own]

    options: dict[str, Any] = {"subset": "training", "validation_split": 0.2, "rotation_range": 3}
    with flow(crops, executor, get_batch_function=describe, **options) as it:
        assert next(it) == [
            {"astronaut": 0, "cat": 1, "cup": 2}, 3, "training", (4, 24, 24, 3), (24, 24),
            "categorical", "float32", "rgb", (0.2, 1.0), (3, True),
        ]  # fmt: skip


def test_no_other_hook_is_called(crops: Path) -> None:
    def never(x: NDArray[Any]) -> NDArray[Any]:
        raise AssertionError("called")

    options: dict[str, Any] = {"preprocessing_function": never, "noaug_preprocessing_function": never}
    assert_equal(
        batches_of(told, crops, None, 2, **options, rescale=1 / 255, rotation_range=90),
        batches_of(told, crops, None, 2),
    )


# Which functions


class Maker:
    def __init__(self, amount: int) -> None:
        self.amount = amount

    def method(self, number: int, files: Files, classes: list[int], params: Any) -> Any:
        return number, (pictures(params, files) + self.amount, np.array(classes))

    __call__ = method


def positional(
    amount: int, number: int, files: Files, classes: list[int], params: Any, /, *, more: int = 1
) -> Any:
    return Maker(amount + more).method(number, files, classes, params)


def closure(amount: int) -> Callable[..., Any]:
    def inner(*arguments: Any) -> Any:
        return Maker(amount).method(*arguments)

    return inner


@pytest.mark.slow
@pytest.mark.parametrize(
    "function",
    [lambda *arguments: Maker(7).method(*arguments), closure(7), Maker(7).method, Maker(7),
     functools.partial(positional, 6), functools.partial(positional, 5, more=2)],
    ids=["lambda", "closure", "method", "object", "partial", "partial-named"],
)  # fmt: skip
def test_kinds_of_functions(
    function: Callable[..., Any], crops: Path, executors: dict[str, Executor | None]
) -> None:
    expected = [(x + 7, np.array(about[2])) for x, about in batches_of(told, crops, None, 2)]
    for executor in executors.values():
        assert_equal(batches_of(function, crops, executor, 2), expected)


@pytest.mark.slow
def test_a_function_of_the_main_program(crops: Path, tmp_path: Path) -> None:
    done = run_program("pipeline/batch_function_of_the_main_program.py", crops, cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == [
        "(5, 8, 8, 3) 3.0 3.0 [0, 0, 0, 0, 0] True",
        "(5, 8, 8, 3) 3.0 3.0 [0, 0, 0, 0, 1] True",
    ]


# What it may return

ZEROS = np.zeros((4, 24, 24, 3), "float32")
RETURNED: dict[str, Any] = {
    "fits": (ZEROS + 1, np.arange(4)),
    "fits alone": ZEROS + 2,
    "fits in a tuple of one": (ZEROS + 3,),
    "fits, with weights": (ZEROS + 4, np.arange(4), np.ones(4)),
    "not contiguous": (ZEROS.transpose(0, 2, 1, 3) + np.arange(3, dtype="float32"), 0),
    "other dtype": (ZEROS.astype("float64"), np.zeros(4)),
    "other shape": (np.ones((4, 10, 3), "float32"), np.ones((4, 2), "int8")),
    "more rows": (np.ones((9, 24, 24, 3), "float32"), np.arange(9)),
    "dictionary of targets": (ZEROS, {"class": np.arange(4), "box": np.ones((4, 4), "float16")}),
    "dictionary": {"x": ZEROS, "y": np.arange(4)},
    "several inputs": ([ZEROS, np.arange(4)], [np.arange(4), np.arange(8)]),
    "no arrays": ("text", None, 3),
    "list": [ZEROS, np.arange(4)],
    "nothing": None,
}


@pytest.mark.parametrize("name", RETURNED)
def test_any_batch_comes_out_as_it_was_returned(
    name: str, crops: Path, executor: Executor | None
) -> None:
    batch = RETURNED[name]
    for received in batches_of(lambda number, *_: (number, batch), crops, executor, 2):
        assert_equal(received, batch)
        first = received[0] if isinstance(received, tuple) else received
        if isinstance(first, np.ndarray):
            assert first.flags.writeable, "it is the user's to change"


def test_images_that_fit_lie_in_shared_memory(
    crops: Path, executors: dict[str, Executor | None]
) -> None:
    def memory(batch: Any) -> bool:
        (images, _), *_ = batches_of(lambda n, *_: (n, batch), crops, executors["processes"], 1)
        return isinstance(images.base, mmap.mmap)

    assert memory(RETURNED["fits"])
    assert not memory(RETURNED["other dtype"])


def test_images_that_are_their_own_targets(crops: Path, executor: Executor | None) -> None:
    def autoencoder(number: int, files: Files, classes: list[int], params: Any) -> Any:
        x = pictures(params, files)
        return number, (x, x)

    ((x, y),) = batches_of(autoencoder, crops, executor, 1)
    np.testing.assert_array_equal(x, y)
    x[...] = -1
    assert y.min() >= 0


@pytest.mark.parametrize(
    "returned", [None, ZEROS, (ZEROS, 1, 2), (), "ab c", {"x": ZEROS}], ids=lambda r: type(r).__name__
)
def test_a_return_value_of_another_form_is_an_error(
    returned: Any, crops: Path, executor: Executor | None
) -> None:
    with flow(crops, executor, get_batch_function=lambda *_: returned) as it:
        for _ in range(2):
            with pytest.raises(BatchShapeError, match=r"must return \(batch_index, \(x, y\)\)"):
                next(it)


class OfTheUserError(Exception):
    pass


def test_an_error_keeps_its_type_and_names_the_files(crops: Path, executor: Executor | None) -> None:
    def faulty(number: int, files: Files, classes: list[int], params: Any) -> Any:
        if number == 1:
            raise OfTheUserError(files[0])
        return number, (files, classes)

    with flow(crops, executor, get_batch_function=faulty, shuffle=False) as it:
        next(it)
        with pytest.raises(OfTheUserError, match="astronaut") as caught:
            next(it)
        files = it.filenames[4:8]
        notes = "".join(caught.value.__notes__)
        assert "while running get_batch_function" in notes
        assert all(str(name) in notes for name in files)
        assert next(it)[0] == list(it.filenames[8:12]), "the stream goes on behind it"


def test_a_function_that_is_not_callable_is_refused() -> None:
    with pytest.raises(TypeError, match="get_batch_function"):
        ImageDataGenerator(get_batch_function="batches")  # type: ignore[arg-type]


# The other flows


def test_for_images_out_of_an_array_it_is_an_error_that_says_so() -> None:
    generator = ImageDataGenerator(get_batch_function=told, executor="serial")
    it = generator.flow(np.zeros((4, 8, 8, 3)))
    with pytest.raises(InvalidArgumentError, match=r"get_batch_function.*files"):
        next(it)


def test_files_of_a_data_frame(crops: Path, executor: Executor | None) -> None:
    with flow(crops) as listed:
        files = [str(name) for name in listed.filenames]
    frame = pd.DataFrame({"filename": files, "class": [name.split("/")[0] for name in files]})
    generator = ImageDataGenerator(get_batch_function=told, executor="serial")
    if executor is not None:
        generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    with generator.flow_from_dataframe(
        frame, crops, target_size=(24, 24), batch_size=4, shuffle=False, seed=1
    ) as it:
        images, about = it[2]
    assert list(about[:3]) == [2, files[8:12], [0, 1, 1, 1]]
    np.testing.assert_array_equal(images, told(2, files[8:12], [], about_folder(crops))[1][0])


def about_folder(folder: Path) -> Any:
    class About:
        directory = str(folder)
        rng = np.random.default_rng()

    return About()
