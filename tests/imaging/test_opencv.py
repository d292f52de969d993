"""An OpenCV that other packages have overwritten or taken away: users are told what to do."""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
from executor_support import flow, take

import imageloom._imaging.opencv
from imageloom import MissingDependencyError
from imageloom._executors.shared import make_executor
from imageloom._executors.workers import spawning
from imageloom._executors.workers.birth import Birth
from imageloom._pipeline import batch as batch_work

HEADLESS, GUI = "opencv_python_headless-5.0.0.93", "opencv_python-4.11.0.86"
# What pip leaves of two packages when one of them is removed, and what it says without libGL.
BROKEN = {
    "is incomplete": "",
    "libGL.so.1": "raise ImportError('libGL.so.1: cannot open shared object file')",
    "no module named 'typing_of_numpy'": "import typing_of_numpy",
    "_ARRAY_API not found": "raise AttributeError('_ARRAY_API not found')",
}


def put_in_front(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Another `cv2` before the true one, also for the workers to come."""
    (folder / "cv2").mkdir()
    (folder / "cv2" / "__init__.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)


def assert_tells_what_to_do(text: str) -> None:
    assert "pip uninstall -y opencv-python opencv-contrib-python opencv-python-headless" in text
    assert 'pip install "opencv-python-headless==' in text
    assert 'pip install --no-deps "opencv-python==' in text


@pytest.mark.parametrize("words", BROKEN)
def test_an_opencv_that_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str
) -> None:
    put_in_front(monkeypatch, tmp_path, BROKEN[words])
    monkeypatch.delitem(sys.modules, "cv2")
    monkeypatch.delitem(sys.modules, "imageloom._imaging.opencv")
    with pytest.raises(MissingDependencyError, match=f"(?i){words}") as caught:
        importlib.import_module("imageloom._imaging.opencv")
    assert_tells_what_to_do(str(caught.value))
    assert isinstance(caught.value, ImportError)


def test_no_opencv_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "imageloom._imaging.opencv")
    with pytest.raises(MissingDependencyError, match="is not installed") as caught:
        importlib.import_module("imageloom._imaging.opencv")
    assert_tells_what_to_do(str(caught.value))


@pytest.mark.slow
def test_workers_without_opencv_say_so(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    crops: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    put_in_front(monkeypatch, tmp_path, BROKEN["libGL.so.1"])

    def newborn(environment: dict[str, str]) -> Birth:
        told = genuine(environment)  # it does not name our folder, because no library is there
        return {**told, "libraries": [str(tmp_path), *told["libraries"]]}

    genuine = spawning.newborn
    monkeypatch.setattr(spawning, "newborn", newborn)
    executor = make_executor("processes", 2, disable_gpu=True)
    with flow(crops, executor) as it:
        for _ in range(2):
            with pytest.raises(MissingDependencyError, match="libGL") as caught:
                next(it)
    executor.close()
    assert_tells_what_to_do(str(caught.value))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert capfd.readouterr().err == "", "one error is enough"


def warning_of(
    monkeypatch: pytest.MonkeyPatch, folder: Path, version: str, *installed: str
) -> str | None:
    for name in installed:
        (folder / f"{name}.dist-info").mkdir(parents=True, exist_ok=True)
    other = SimpleNamespace(__version__=version, __file__=str(folder / "cv2" / "__init__.py"))
    monkeypatch.setattr(imageloom._imaging.opencv, "cv2", other)
    return imageloom._imaging.opencv.clash_warning.__wrapped__()


@pytest.mark.parametrize(
    "installed",
    [
        (),
        (HEADLESS,),
        (HEADLESS, "opencv_python-5.0.0.93"),
        (HEADLESS, "opencv_stubs-1.0", "opencv_python_aruco-4.5.1", "numpy-2.0.0"),
    ],
)
def test_one_version_is_no_clash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: tuple[str, ...]
) -> None:
    assert warning_of(monkeypatch, tmp_path, "5.0.0", *installed) is None


def test_a_folder_that_cannot_be_listed_is_no_clash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert warning_of(monkeypatch, tmp_path / "archive.zip", "5.0.0") is None


@pytest.mark.parametrize("other", [GUI, "opencv_contrib_python_headless-4.10.0.84"])
@pytest.mark.parametrize("now", ["5.0.0", "4.11.0"])
def test_two_versions_over_each_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other: str, now: str
) -> None:
    text = warning_of(monkeypatch, tmp_path, now, HEADLESS, other)
    assert text is not None
    for name in (HEADLESS, other):
        assert name.replace("_", "-").replace("-5", " 5").replace("-4", " 4") in text
    assert now in text
    assert ("round positions" in text) is now.startswith("4")
    assert_tells_what_to_do(text)


def test_an_old_opencv_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = warning_of(monkeypatch, tmp_path, "4.11.0", GUI)
    assert text is not None
    assert "version 4.11.0" in text
    assert "installed last" not in text
    assert_tells_what_to_do(text)


def test_the_opencv_of_the_tests_is_fine() -> None:
    assert imageloom._imaging.opencv.cv2 is cv2
    assert imageloom._imaging.opencv.clash_warning() is None


@pytest.mark.parametrize("executor", ["serial", "threads"])
def test_a_clash_is_told_once(monkeypatch: pytest.MonkeyPatch, crops: Path, executor: str) -> None:
    monkeypatch.setattr(batch_work, "clash_warning", lambda: "two of them")
    own = make_executor(executor, 1, disable_gpu=True)
    with flow(crops, own) as it, pytest.warns(UserWarning, match="two of them") as told:
        take(it, 3)
    own.close()
    assert len(told) == 1
    assert told[0].filename.endswith("executor_support.py"), "it points to the caller"
