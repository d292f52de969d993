"""`fit` of an iterator finds what `fit` finds of its images as an array, and does nothing else."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from ending_programs import running
from executor_support import assert_same_batches, wait_for, worker_processes
from numpy.typing import NDArray
from PIL import Image

from imageloom import ImageDataGenerator
from imageloom._api import streamed_fit
from imageloom._errors import InvalidArgumentError
from imageloom._executors.program import end_idle_workers

STATISTICS: Final = ("mean", "std", "zca_whitening_matrix")
SOURCES: Final = ("directory", "dataframe", "array", "memmap")
HEIGHT, WIDTH, COUNT = 4, 3, 60
CENTRED: Final[dict[str, Any]] = {"featurewise_center": True, "featurewise_std_normalization": True}
WHITENED: Final[dict[str, Any]] = {
    "featurewise_center": True, "zca_whitening": True, "zca_epsilon": 0.1,
}  # fmt: skip
RANDOM: Final[dict[str, Any]] = {
    "rotation_range": 30, "width_shift_range": 0.3, "height_shift_range": [1, 2], "zoom_range": 0.2,
    "horizontal_flip": True, "channel_shift_range": 20, "brightness_range": (0.6, 1.3),
    "contrast_range": (0.7, 1.2), "noise": ["gauss", "s&p"], "geometry": "corrected",
}  # fmt: skip
# Steps whose result depends on whether pixels are rescaled before or after them.
AS_KERAS: Final[dict[str, Any]] = {
    "channel_shift_range": 20, "width_shift_range": [1, 2], "height_shift_range": [1, 2],
    "fill_mode": "constant", "cval": 90,
}  # fmt: skip


@dataclass(frozen=True)
class Data:
    """The same images in all forms: `names` are the files of `folder` in the order of `pixels`."""

    folder: Path
    names: list[str]
    pixels: NDArray[np.uint8]
    memory: NDArray[np.uint8]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    root = tmp_path_factory.mktemp("fit")
    rng = np.random.default_rng(3)
    scale = np.array([1.0, 0.6, 0.3])  # channels that differ in mean and deviation
    pixels = (rng.uniform(0, 255, (COUNT, HEIGHT, WIDTH, 3)) * scale).astype(np.uint8)
    names = [f"{'ab'[i // 30]}/{i:02d}.png" for i in range(COUNT)]
    for name, image in zip(names, pixels, strict=True):
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / "images" / name)
    memory = np.memmap(root / "pixels", np.uint8, "w+", shape=pixels.shape)
    memory[:] = pixels
    memory.flush()
    return Data(root / "images", names, pixels, memory)


def generator_of(executor: str = "serial", **options: Any) -> Any:
    return ImageDataGenerator(executor=executor, **options)


def iterator_of(source: str, generator: Any, data: Data, **flow: Any) -> Any:
    flow = {"batch_size": 16, "seed": 5, **flow}
    if source == "directory":
        return generator.flow_from_directory(data.folder, (HEIGHT, WIDTH), **flow)
    if source == "dataframe":
        frame = pd.DataFrame({"filename": data.names, "class": [name[0] for name in data.names]})
        return generator.flow_from_dataframe(frame, data.folder, target_size=(HEIGHT, WIDTH), **flow)
    return generator.flow(
        ordered(data.memory if source == "memmap" else data.pixels, generator), **flow
    )


def ordered(images: NDArray[Any], generator: Any) -> NDArray[Any]:
    return np.moveaxis(images, 3, 1) if generator.data_format == "channels_first" else images


def fit_of_array(
    images: NDArray[Any], fit: dict[str, Any] | None = None, **options: Any
) -> dict[str, Any]:
    generator = generator_of(**options)
    generator.fit(ordered(images, generator), **(fit or {}))
    return statistics(generator)


def statistics(generator: Any) -> dict[str, Any]:
    return {name: getattr(generator, name) for name in STATISTICS}


def assert_close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert expected["mean"] is not None
    for name, right in expected.items():
        assert (found[name] is None) == (right is None), name
        if right is None:
            continue
        assert found[name].shape == right.shape, name
        if name == "zca_whitening_matrix":  # whose dtype has a test of its own
            np.testing.assert_allclose(found[name], right, rtol=0, atol=1e-5 * np.abs(right).max())
        else:
            assert found[name].dtype == right.dtype, name
            np.testing.assert_allclose(found[name], right, rtol=1e-5, err_msg=name)


def assert_identical(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, right in expected.items():
        assert (found[name] is None) == (right is None), name
        if right is not None:
            np.testing.assert_array_equal(found[name], right, name, strict=True)


# The same result


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("wanted", [CENTRED, WHITENED], ids=["centred", "whitened"])
@pytest.mark.parametrize("source", SOURCES)
def test_every_flow_gives_what_its_array_gives(
    source: str, wanted: dict[str, Any], dtype: str, data_format: str, data: Data
) -> None:
    for rescale in (None, 1 / 255):
        options = {**wanted, "dtype": dtype, "data_format": data_format, "rescale": rescale}
        generator = generator_of(**options, **RANDOM)  # which counts only with `augment`
        assert generator.fit(iterator_of(source, generator, data), rounds=3) is None
        assert_close(statistics(generator), fit_of_array(data.pixels, **options))


def test_the_matrix_has_the_dtype_of_that_of_the_array(data: Data) -> None:
    generator = generator_of(**WHITENED)
    generator.fit(iterator_of("array", generator, data))
    expected = fit_of_array(data.pixels, **WHITENED)["zca_whitening_matrix"]
    assert generator.zca_whitening_matrix.dtype == expected.dtype


@pytest.mark.slow
@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_no_executor_changes_a_bit(executor: str, cores: int, data: Data) -> None:
    for source in SOURCES:
        options = {**(CENTRED if source == "directory" else WHITENED), **RANDOM, "rescale": 1 / 255}
        found = []
        for how in ({}, {"executor": executor, "cores": cores}):
            generator = generator_of(**options, **how)
            generator.fit(iterator_of(source, generator, data), augment=True, rounds=2, seed=8)
            found.append(statistics(generator))
            assert_none_works()
        assert_identical(found[1], found[0])


@pytest.mark.slow
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize("options", [RANDOM, AS_KERAS], ids=["corrected", "keras"])
@pytest.mark.parametrize("source", ["directory", "memmap"])
def test_transforms_are_drawn_as_for_the_array(
    source: str, options: dict[str, Any], rounds: int, data_format: str, data: Data
) -> None:
    options = {**options, **WHITENED, "rescale": 0.5, "data_format": data_format}
    fit = {"augment": True, "rounds": rounds, "seed": 21}
    generator = generator_of(**options)
    generator.fit(iterator_of(source, generator, data, batch_size=7), **fit)
    expected = fit_of_array(data.pixels, fit, **options)
    assert_close(statistics(generator), expected)
    other = fit_of_array(data.pixels, {**fit, "seed": 22}, **options)
    assert np.abs(other["mean"] - expected["mean"]).max() > 1e-3


@pytest.mark.usefixtures("global_numpy_state")
def test_unseeded_transforms_come_out_of_the_global_state_as_for_the_array(data: Data) -> None:
    found, states = [], []
    for streamed in (False, True):
        generator = generator_of(**CENTRED, **RANDOM)
        x = iterator_of("array", generator, data) if streamed else data.pixels
        np.random.seed(6)
        generator.fit(x, augment=True, rounds=2)
        found.append(statistics(generator))
        states.append(np.random.get_state()[1].tolist())
    assert_close(found[1], found[0])
    assert states[0] == states[1]


def pairs(base_directory: str, search_class: str, **named: Any) -> tuple[str, list[Any]]:
    """Samples of two images each: the first file with the second, the third with the fourth."""
    names = sorted(os.listdir(os.path.join(base_directory, search_class)))
    paths = [f"{search_class}/{name}" for name in names]
    return search_class, list(zip(paths[::2], paths[1::2], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads"])
@pytest.mark.parametrize(
    ("flow", "images", "arrays"),
    [({"batch_size": size}, COUNT, 2) for size in (1, 7, 30, 59, 60, 100, -1)]
    + [
        ({"class_mode": "input"}, COUNT, 2),
        ({"class_mode": None}, COUNT, None),
        ({"list_valid_filenames_in_directory_function": pairs}, COUNT // 2, 2),
    ],
)
def test_all_images_count_once_however_they_are_batched(
    flow: dict[str, Any], images: int, arrays: int | None, executor: str, data: Data
) -> None:
    fit = {"augment": True, "rounds": 2, "seed": 4}
    generator = generator_of(executor, **WHITENED, **RANDOM)
    with iterator_of("directory", generator, data, **flow) as iterator:
        assert iterator.n == images
        generator.fit(iterator, **fit)
        assert_close(statistics(generator), fit_of_array(data.pixels, fit, **WHITENED, **RANDOM))
        batch = next(iterator)
    assert arrays is None or len(batch) == arrays
    if flow.get("class_mode") == "input":
        np.testing.assert_array_equal(*batch)


@pytest.mark.parametrize("augment", [False, True])
def test_shuffling_does_not_matter(augment: bool, data: Data) -> None:
    found = []
    for shuffle in (False, True):
        generator = generator_of(**WHITENED, **RANDOM)
        iterator = iterator_of("dataframe", generator, data, shuffle=shuffle, class_mode=None)
        generator.fit(iterator, augment=augment, seed=4)
        found.append(statistics(generator))
    assert_identical(found[1], found[0])


@pytest.mark.filterwarnings("ignore:IL215")  # rows that are sorted
@pytest.mark.parametrize("subset", ["training", "validation"])
@pytest.mark.parametrize("source", SOURCES)
def test_of_a_subset_no_other_image_counts(source: str, subset: str, data: Data) -> None:
    generator = generator_of(**CENTRED, validation_split=0.3)
    iterator = iterator_of(source, generator, data, subset=subset)
    assert 0 < iterator.n < COUNT
    names = getattr(iterator, "filenames", None)
    images = iterator.x if names is None else data.pixels[[data.names.index(n) for n in names]]
    generator.fit(iterator)
    assert_close(statistics(generator), expected := fit_of_array(images, **CENTRED))
    assert not np.allclose(expected["mean"], fit_of_array(data.pixels, **CENTRED)["mean"], rtol=1e-4)


# Nothing else happens


def refuse(*args: Any, **named: Any) -> Any:
    raise AssertionError("a hook ran")


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize(
    "hook", ["preprocessing_function", "noaug_preprocessing_function", "get_batch_function"]
)
def test_no_hook_runs(hook: str, augment: bool, data: Data, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    generator = generator_of(**CENTRED, **{hook: refuse})
    iterator = iterator_of("directory", generator, data, save_to_dir=str(saved))
    generator.fit(iterator, augment=augment, seed=1)
    assert_close(statistics(generator), fit_of_array(data.pixels, **CENTRED))
    assert list(saved.iterdir()) == []
    with pytest.raises(AssertionError, match="a hook ran"):
        next(iterator)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
@pytest.mark.parametrize("seen", [0, 1, 4])
def test_the_iterator_stays_where_it_is(executor: str, seen: int, data: Data) -> None:
    """Its next batches are normalised with what was found, as in Keras."""
    received = []
    for known_before in (True, False):
        generator = generator_of(executor, **CENTRED, **RANDOM, cores=1)
        if known_before:
            generator.fit(iterator_of("directory", generator, data))
        else:
            generator.fit(generator.flow(data.pixels[:20], batch_size=16))
        with iterator_of("directory", generator, data) as iterator:
            for _ in range(seen):
                next(iterator)
            if not known_before:
                generator.fit(iterator)
            assert iterator.total_batches_seen == seen
            received.append([next(iterator), iterator[0], next(iterator)])
    assert_same_batches(received[1], received[0])


@pytest.mark.usefixtures("global_numpy_state")
@pytest.mark.parametrize("executor", ["serial", "threads"])
def test_the_global_state_is_left_alone(executor: str, data: Data) -> None:
    """With a seed, or without transforms; an unseeded iterator does not draw its own seed yet."""
    np.random.seed(3)
    before = np.random.get_state()
    generator = generator_of(executor, **CENTRED, **RANDOM)
    generator.fit(iterator_of("array", generator, data, seed=None))
    generator.fit(iterator_of("directory", generator, data), augment=True, rounds=2, seed=3)
    after = np.random.get_state()
    assert (after[1].tolist(), after[2:]) == (before[1].tolist(), before[2:])


# Refusals and interruptions


def fitted(executor: str, images: NDArray[Any], **options: Any) -> tuple[Any, dict[str, Any]]:
    """A generator, and what it found already."""
    generator = generator_of(executor, cores=1, **options)
    generator.fit(images)
    return generator, statistics(generator)


def assert_none_works() -> None:
    """No worker has anything to do: none is left when those have ended that linger for the next."""
    end_idle_workers()
    assert worker_processes() == {}


def assert_as_before(generator: Any, before: dict[str, Any]) -> None:
    assert_identical(statistics(generator), before)
    assert_none_works()
    wait_for(lambda: "imageloom" not in str(threading.enumerate()), "the threads to end")


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_what_cannot_work_is_refused_at_once(executor: str, data: Data) -> None:
    generator, before = fitted(executor, data.pixels, **CENTRED)
    iterator = iterator_of("array", generator, data)
    for rounds, augment in itertools.product((0, -1), (False, True)):
        with pytest.raises(InvalidArgumentError, match="rounds"):
            generator.fit(iterator, augment=augment, rounds=rounds)
    with pytest.raises(InvalidArgumentError, match="at least one image"):
        generator.fit(generator.flow(data.pixels[:0]))
    assert_as_before(generator, before)


class Interrupted:
    """A progress bar at whose third step somebody presses Ctrl-C."""

    steps = 0

    def update(self, images: int) -> None:
        self.steps += 1
        if self.steps == 3:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [True, False], ids=["damaged file", "interrupted"])
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_a_fit_that_fails_leaves_no_trace(
    executor: str, damaged: bool, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, before = fitted(executor, data.pixels[:50], **WHITENED)
    for name in data.names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        content = (data.folder / name).read_bytes()
        (tmp_path / name).write_bytes(content[:40] if name == "b/45.png" and damaged else content)
    iterator = generator.flow_from_directory(tmp_path, (HEIGHT, WIDTH), batch_size=8)
    with monkeypatch.context() as patched:
        if not damaged:
            patched.setattr(
                streamed_fit, "progress_bar", lambda *_, **shown: nullcontext(Interrupted())
            )
        with pytest.raises(OSError if damaged else KeyboardInterrupt) as caught:
            generator.fit(iterator)
    assert not damaged or "b/45.png" in "\n".join([str(caught.value), *caught.value.__notes__])
    assert_as_before(generator, before)
    generator.fit(iterator_of("directory", generator, data))
    assert_close(statistics(generator), fit_of_array(data.pixels, **WHITENED))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals and named pipes as in POSIX")
@pytest.mark.parametrize("executor", ["processes", "threads"])
def test_ctrl_c_while_workers_read(executor: str, crops: Path, tmp_path: Path) -> None:
    """The transform of the second batch does not end."""
    with running(
        "api/ctrl_c_while_workers_read.py", tmp_path, crops, arguments=[executor, executor == "threads"]
    ) as program:
        assert len(program.hear()["workers"]) == (executor == "processes")
        os.kill(program.process.pid, signal.SIGINT)
        program.hear()  # of the second fit
        assert program.hear() == {"left": 0, "unfitted": True, "mean": [1, 1, 3]}
        assert program.finish() == ""
        assert program.process.returncode == 0
