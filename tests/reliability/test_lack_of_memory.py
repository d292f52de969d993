"""Memory that runs out: no file is blamed for it, and the error says what to change."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCHES, Signals, assert_same_batches, file_at, flow, flow_with, take
from numpy.typing import NDArray
from PIL import Image
from programs import run_program

from imageloom import BadImageError, BatchMemoryError, ImageDataGenerator, WorkerDiedError
from imageloom._executors.shared import make_executor
from imageloom._imaging.decode import read_pixels
from imageloom._options import ReadOptions
from imageloom._pipeline import reading
from imageloom._pipeline.shortage import lacks_memory

REMEDIES = ("emory", "`cores`", "`cache_limit`", "`batch_size`")
READ = ReadOptions(
    color_mode="rgb",
    target_size=(8, 8),
    interpolation="nearest",
    keep_aspect_ratio=False,
    exact_resize=False,
)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


class KilledAt:
    """A hook over which its worker is killed, as the system does it when memory runs out."""

    def __init__(self, signals: Signals, file: str, times: int) -> None:
        self.signals = signals
        self.file = file
        self.times = times

    def __call__(self, params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        if filename == self.file:
            before = len(self.signals.starting("killed-"))
            if before < self.times:
                self.signals.give(f"killed-{before}")
                os.kill(os.getpid(), signal.SIGKILL)
        return x


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_workers_that_are_killed_change_no_byte_and_replace_no_file(
    times: int, crops: Path, signals: Signals
) -> None:
    expected = take(flow(crops), BATCHES)
    executor = make_executor("processes", 2, disable_gpu=True)
    hook = KilledAt(signals, file_at(flow(crops), 1, row=2), times)
    with flow(crops, executor, on_bad_image="replace", preprocessing_function=hook) as it:
        assert_same_batches(take(it, BATCHES), expected)
        assert it.bad_images == []
        assert it.report().restarts == times
    executor.close()


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("hook_name", ["preprocessing_function", "noaug_preprocessing_function"])
@pytest.mark.parametrize("mode", ["replace", "raise"])
def test_a_file_over_which_workers_are_always_killed_is_not_replaced(
    mode: str, hook_name: str, crops: Path, signals: Signals
) -> None:
    expected = take(flow(crops), 2 * BATCHES)
    executor = make_executor("processes", 2, disable_gpu=True)
    file = file_at(flow(crops), 1, row=2)
    hook = {hook_name: KilledAt(signals, file, 3)}
    with flow(crops, executor, pending=1, on_bad_image=mode, **hook) as it:
        received = take(it, 1)
        with pytest.raises(WorkerDiedError) as caught:
            next(it)
        received += take(it, 2 * BATCHES - 2)  # the next epoch has that file again
        assert it.bad_images == []
    executor.close()
    assert all(part in str(caught.value) for part in (*REMEDIES, repr(file)))
    assert (caught.value.sample, caught.value.killed) == (2, True)
    assert_same_batches(received, [expected[0], *expected[2:]])


# Memory that is refused


def refuse(*_: Any, **__: Any) -> Any:
    raise MemoryError


@pytest.mark.parametrize("mode", ["replace", "raise"])
@pytest.mark.parametrize("kind", ["serial", "threads"])
def test_a_decoder_without_memory_blames_no_file(
    kind: str, mode: str, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "read_pixels", refuse)
    with flow_with(crops, kind, on_bad_image=mode) as it:
        with pytest.raises(BatchMemoryError) as caught:
            next(it)
        assert it.bad_images == []
    assert isinstance(caught.value, MemoryError)
    assert all(part in str(caught.value) for part in (*REMEDIES, "MemoryError"))
    assert "while reading the image, file" in caught.value.__notes__[0]


def cv2_error() -> Exception:
    import cv2

    with pytest.raises(cv2.error) as caught:
        cv2.resize(np.zeros((2, 2), np.uint8), (2**30, 2**30))
    return caught.value


@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_an_error_of_a_function_keeps_its_type_and_gets_a_note(kind: str, crops: Path) -> None:
    def hook(x: NDArray[Any]) -> NDArray[Any]:
        raise MemoryError("mine")

    with (
        flow_with(crops, kind, on_bad_image="replace", preprocessing_function=hook) as it,
        pytest.raises(MemoryError, match="mine") as caught,
    ):
        next(it)
    assert type(caught.value) is MemoryError
    assert it.bad_images == []
    assert all(part in caught.value.__notes__[-1] for part in REMEDIES)


@pytest.mark.parametrize("kind", ["serial", "threads"])
def test_no_memory_for_the_batch_itself_is_an_error_and_no_wait(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = ImageDataGenerator(executor=kind)
    monkeypatch.setattr("imageloom._pipeline.layout._aligned", refuse)
    with (
        generator.flow(np.zeros((4, 8, 8, 3)), batch_size=2, seed=1) as it,
        pytest.raises(BatchMemoryError, match="`batch_size`"),
    ):
        next(it)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces RLIMIT_AS")
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_workers_with_too_little_address_space_blame_no_file(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "images" / "a"
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (3000, 3000, 3), np.uint8)
    options: dict[str, Any] = {"compress_level": 0} if kind == "PNG" else {}
    Image.fromarray(pixels).save(folder / f"large.{kind.lower()}", kind, **options)
    Image.fromarray(pixels[:20, :20]).save(folder / "a small one.png")
    done = run_program(
        "reliability/too_little_address_space.py", tmp_path / "images", cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr
    _, said, bad, whole = done.stdout.splitlines()
    assert said.startswith("BatchMemoryError There is not enough memory")
    assert all(part in said for part in REMEDIES)
    assert (bad, whole) == ("[]", "(1, 64, 64, 3) [] True")


# Files that ask for too much


def npy_of(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + bytes(100)


@pytest.mark.parametrize("shape", [(2**40, 2**20, 3), (2**31, 2**10)])
def test_an_array_that_says_it_is_larger_than_its_file_is_a_bad_image(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    (tmp_path / "a.npy").write_bytes(npy_of(shape))
    with pytest.raises(BadImageError, match=r"a\.npy"):
        read_pixels(tmp_path / "a.npy", READ)


def test_an_array_that_is_as_large_as_it_says_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 4, 3)))
    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(MemoryError):
        read_pixels(tmp_path / "a.npy", READ)


def test_pillow_without_memory_blames_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.tiff")

    def fails(*_: Any) -> None:
        raise OSError("out of memory error when reading image file")

    monkeypatch.setattr(Image.Image, "load", fails)
    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.load", fails)
    with pytest.raises(MemoryError, match=r"a\.tiff"):
        read_pixels(tmp_path / "a.tiff", READ)


ERRORS: dict[str, tuple[Callable[[], Exception], bool]] = {
    "Python's": (MemoryError, True),
    "the system's": (lambda: OSError(12, "Cannot allocate memory"), True),
    "OpenCV's": (cv2_error, True),
    "another of the system": (lambda: OSError(24, "Too many open files"), False),
    "another": (lambda: ValueError("memory"), False),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_all_errors_for_lack_of_memory_are_known(kind: str) -> None:
    make, known = ERRORS[kind]
    assert lacks_memory(make()) is known
