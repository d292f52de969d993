"""Training with Keras 3 on each of its backends, in processes of their own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import keras_programs
import pytest
from executor_support import SAMPLES, run_python

CLASS_WEIGHTS = {0: 1.0, 1: 2.0, 2: 5.0}


def run(program: str, backend: str, crops: Path, folder: Path) -> dict[str, Any]:
    """What the program found out; it must end without a complaint of ours."""
    environment = {"KERAS_BACKEND": backend, "CROPS": str(crops), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done: subprocess.CompletedProcess[str] = run_python(program, cwd=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    result: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    assert result["backend"] == backend
    return result


@pytest.fixture(scope="module", params=["jax", "tensorflow", "torch"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend that is installed."""
    name: str = request.param
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} or Keras is not installed")
    return name


@pytest.fixture(scope="module")
def result(backend: str, crops: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the long program found out, once for all tests of a backend."""
    folder = tmp_path_factory.mktemp(backend)
    return run(keras_programs.TRAINING, backend, crops, folder)


def test_is_a_dataset_though_made_before_keras_was_imported(result: dict[str, Any]) -> None:
    assert result["is_dataset"] is True


def test_every_epoch_trains_on_its_epoch_of_the_stream(result: dict[str, Any]) -> None:
    length = result["length"]
    assert result["losses"] == [3, 3]
    assert len(result["trained"]) == 3
    for epoch, positions in enumerate(result["trained"]):
        assert sorted(positions) == list(range(epoch * length, (epoch + 1) * length))


def test_keras_shuffles_the_batches(result: dict[str, Any]) -> None:
    """Otherwise the tests of prefetching would show nothing."""
    assert any(positions != sorted(positions) for positions in result["trained"])


def test_most_requests_after_the_first_epoch_were_prefetched(result: dict[str, Any]) -> None:
    assert result["later_requests"] >= 2 * result["length"]
    assert result["later_hits"] >= 0.75 * result["later_requests"], result


def test_class_weights(result: dict[str, Any]) -> None:
    assert len(result["weights"]) == 3 * result["length"]
    for classes, weights in result["weights"]:
        assert weights == [CLASS_WEIGHTS[number] for number in classes]


def test_validation_and_evaluation_see_the_whole_subset_in_order(result: dict[str, Any]) -> None:
    assert result["validated"] == [True, 6]
    assert result["evaluated"] == [True, 2]


def test_fewer_steps_than_batches_go_on_where_the_last_epoch_ended(result: dict[str, Any]) -> None:
    steps = result["in_steps"]
    assert [len(positions) for positions in steps] == [3, 3, 3, 3]
    length = result["length"]
    assert length == 6
    assert sorted(steps[0] + steps[1]) == list(range(length))
    assert sorted(steps[2] + steps[3]) == list(range(length, 2 * length))


def test_rows_of_predict_follow_the_filenames(result: dict[str, Any]) -> None:
    assert result["rows"] == [SAMPLES, SAMPLES]
    assert result["neighbours_differ_by"] > 0.1, "or a wrong order would not show"
    assert result["wrong_by"] < 0.01


def test_keras_imported_first(backend: str, crops: Path, tmp_path: Path) -> None:
    result = run(keras_programs.KERAS_FIRST, backend, crops, tmp_path)
    assert result["is_dataset"] is True
    assert result["is_ours"] is True
    assert result["name"] == "DirectoryIterator"
    assert result["losses"] == 5
    assert result["positions"] == [3 * result["length"], 5 * result["length"]]
