"""What the tests of executors, windows, endings and iterators share.

A pytest plugin (see `pytest_plugins` in conftest.py) that also is imported, by tests and by worker
processes: they get the test run's `sys.path`, so hooks of this module reach them by name.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from imageloom import DirectoryIterator, ImageDataGenerator
from imageloom._executors.base import Channel, Executor
from imageloom._pipeline.recipe import BatchTask
from imageloom._stream.order import Sampler

T = TypeVar("T")

BATCH: Final = 4
SIZE: Final = (24, 24)
SEED: Final = 11
# Class, file in scikit-image's wheel, number of crops: 23 images, 6 batches, the last one of 3.
_SUBJECTS: Final = (
    ("astronaut", "astronaut.png", 9),
    ("cat", "chelsea.png", 8),
    ("cup", "coffee.png", 6),
)
SAMPLES: Final = sum(count for _, _, count in _SUBJECTS)
BATCHES: Final = -(-SAMPLES // BATCH)
# Every kind of draw there is.
AUGMENTED: Final[Mapping[str, Any]] = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 8,
    "zoom_range": 0.2,
    "horizontal_flip": True,
    "vertical_flip": True,
    "channel_shift_range": 10,
    "brightness_range": (0.7, 1.2),
    "contrast_range": (0.8, 1.2),
    "noise": ["gauss", "s&p"],
    "rescale": 1 / 255,
}


def write_crops(folder: Path) -> Path:
    """Class folders of small pieces of real photographs, JPEG and PNG by turns."""
    import skimage
    from PIL import Image

    shipped = Path(skimage.__file__).parent / "data"
    for name, file, count in _SUBJECTS:
        (folder / name).mkdir(parents=True)
        with Image.open(shipped / file) as photograph:
            for i in range(count):
                corner = 60 + 12 * i
                piece = photograph.crop((corner, corner // 2, corner + 48, corner // 2 + 40))
                piece.convert("RGB").save(folder / name / f"{i:02d}.{('jpg', 'png')[i % 2]}")
    return folder


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class folder of 23 images in 3 classes; not to be changed."""
    return write_crops(tmp_path_factory.mktemp("crops") / "images")


@pytest.fixture(autouse=True)
def workers_at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets worker processes compute from the first batch on, except in tests marked `adaptive`.

    Otherwise the small data sets of tests would never reach them.
    """
    if request.node.get_closest_marker("adaptive") is None:
        monkeypatch.setattr("imageloom._api.engine._may_compute_here", lambda *_: False)


@pytest.fixture
def signals(tmp_path: Path) -> Signals:
    """Through which the hooks of this test and the test itself talk."""
    folder = tmp_path / "signals"
    folder.mkdir()
    return Signals(folder)


def wait_for(condition: Callable[[], T], what: str, seconds: float = 20) -> T:
    """What the condition gives as soon as that is true; fails after some seconds."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if found := condition():
            return found
        pause.wait(0.005)
    if found := condition():
        return found
    return pytest.fail(f"waited {seconds} s in vain for {what}")


@dataclass(frozen=True)
class Signals:
    """Files as signals between processes; they come with the hooks that refer to them."""

    folder: Path

    def give(self, name: str, content: str = "") -> None:
        """Sets a signal; it appears with its whole content."""
        name = name.replace(os.sep, "-")
        draft = self.folder / f"{name}.{os.getpid()}.{threading.get_ident()}.draft"
        draft.write_text(content, encoding="utf-8")
        draft.replace(self.folder / name)

    def given(self, name: str) -> bool:
        """Whether a signal is set."""
        return (self.folder / name.replace(os.sep, "-")).exists()

    def content(self, name: str) -> str:
        """What a signal says."""
        return (self.folder / name.replace(os.sep, "-")).read_text(encoding="utf-8")

    def starting(self, prefix: str) -> set[str]:
        """All signals that start like this."""
        return {
            path.name
            for path in self.folder.iterdir()
            if path.name.startswith(prefix) and path.suffix != ".draft"
        }

    def wait(self, name: str) -> None:
        """Waits until a signal is set."""
        wait_for(lambda: self.given(name), f"the signal {name!r}")


class HoldAt:
    """A hook that stops at some files until the test gives `go`, and signals that it does."""

    def __init__(self, signals: Signals, *files: str) -> None:
        """Without files it stops at each."""
        self.signals = signals
        self.files = files

    def __call__(self, params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        if not self.files or filename in self.files:
            self.signals.give(f"held-{filename}", str(os.getpid()))
            wait_for(lambda: self.signals.given("go"), "the test to say go", seconds=60)
        return x


class Note:
    """A hook that leaves one signal for each batch it sees: `batch-<its first file>`."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def __call__(
        self, params: Any, x: NDArray[Any], batch_index: int, batch_filenames: list[str]
    ) -> NDArray[Any]:
        if batch_index == len(batch_filenames) - 1:
            self.signals.give(f"batch-{batch_filenames[0]}", str(os.getpid()))
        return x


class RaiseAt:
    """A hook that raises at one file."""

    def __init__(self, file: str, make: Callable[[], BaseException]) -> None:
        self.file = file
        self.make = make

    def __call__(self, params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        if filename == self.file:
            raise self.make()
        return x


def jitter(params: Any, x: NDArray[Any]) -> NDArray[Any]:
    """A hook that draws from the stream it is given."""
    return x + params.rng.uniform(-20, 20, size=x.shape).astype("float32")


def draw_globally(x: NDArray[Any]) -> NDArray[Any]:
    """A hook that draws from the global generators."""
    return x * np.float32(random.random()) + np.random.randint(0, 50)


class Lent:
    """Stands in for a generator's own executor, so that a test may bring one."""

    inherited = False

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def open(
        self, make: Any, recipe: Any, max_batches_pending: int, batch_timeout: float | None
    ) -> Channel:
        del make
        return self._executor.open(recipe, max_batches_pending, batch_timeout)


def flow(
    folder: Path,
    executor: Executor | None = None,
    *,
    pending: int = 4,
    seed: int | None = SEED,
    subset: str | None = None,
    class_mode: str | None = "categorical",
    shuffle: bool = True,
    **options: Any,
) -> DirectoryIterator:
    """An iterator in batches of 4 of 24x24 images; serial unless an executor is lent."""
    options.setdefault("executor", "serial")
    generator = ImageDataGenerator(max_batches_pending=pending, **options)
    if executor is not None:
        generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    return generator.flow_from_directory(
        folder,
        target_size=SIZE,
        batch_size=BATCH,
        seed=seed,
        subset=subset,
        class_mode=class_mode,
        shuffle=shuffle,
    )


def flow_with(folder: Path, executor: str, **options: Any) -> DirectoryIterator:
    """As `flow`, with an executor of the generator's own and one worker."""
    class_mode = options.pop("class_mode", "categorical")
    generator = ImageDataGenerator(executor=executor, cores=1, max_batches_pending=1, **options)
    return generator.flow_from_directory(
        folder, SIZE, batch_size=BATCH, seed=SEED, class_mode=class_mode
    )


def open_channel(
    folder: Path, executor: Executor, *, pending: int = 4, **options: Any
) -> tuple[Channel, Callable[[int], BatchTask]]:
    """A channel on an executor, and the function from a position to its task (in file order)."""
    it = flow(folder, executor, pending=pending, **options)
    channel = it._open_channel()
    sampler = Sampler(it.n, BATCH, shuffle=False, seed=SEED)
    return channel, lambda position: it._plan.source.task(sampler.spec(position))


def take(it: DirectoryIterator, batches: int) -> list[Any]:
    """So many batches by `next`."""
    return [next(it) for _ in range(batches)]


def assert_same_batches(received: list[Any], expected: list[Any]) -> None:
    """Every array of every batch, byte by byte."""
    assert len(received) == len(expected)
    for number, (batch, right) in enumerate(zip(received, expected, strict=True)):
        parts = batch if isinstance(batch, tuple) else (batch,)
        right_parts = right if isinstance(right, tuple) else (right,)
        assert len(parts) == len(right_parts)
        for part, right_part in zip(parts, right_parts, strict=True):
            assert part.dtype == right_part.dtype
            np.testing.assert_array_equal(part, right_part, err_msg=f"batch {number}")


def file_at(it: DirectoryIterator, position: int, row: int = 0) -> str:
    """The file in a row of the batch at a position, asked of a sampler of its own."""
    assert it.seed is not None
    sampler = Sampler(it.n, it.batch_size, shuffle=it.shuffle, seed=it.seed)
    return str(it.filenames[sampler.spec(position).indices[row]])


def worker_processes() -> dict[int, psutil.Process]:
    """The living worker processes of this process, by their numbers."""
    found = {}
    for child in psutil.Process().children():
        try:
            if child.status() != psutil.STATUS_ZOMBIE and "imageloom" in " ".join(child.cmdline()):
                found[child.pid] = child
        except psutil.NoSuchProcess:
            continue
    return found


def call_as_keras(method: Callable[[], Any]) -> Any:
    """Calls a method of an iterator as a module of Keras does it."""
    return eval("method()", {"__name__": "keras.trainer", "method": method})
