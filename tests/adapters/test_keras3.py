"""Training with Keras 3 on each of its backends, in processes of their own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCHES, SAMPLES
from keras_programs import found_by

pytestmark = pytest.mark.timeout(240)  # a program at work for all tests of a backend

CLASS_WEIGHTS = {0: 1.0, 1: 2.0, 2: 5.0}


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
    found = found_by("adapters/keras_training.py", backend, crops, folder)
    assert found["backend"] == backend
    return found


@pytest.fixture(scope="module")
def first(backend: str, crops: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program found out that imports Keras first."""
    folder = tmp_path_factory.mktemp(f"{backend}-first")
    found = found_by("adapters/keras_first.py", backend, crops, folder)
    assert found["backend"] == backend
    return found


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


def test_keras_imported_first(first: dict[str, Any]) -> None:
    assert first["is_dataset"] is True
    assert first["is_ours"] is True
    assert first["name"] == "DirectoryIterator"
    assert first["losses"] == 5
    assert first["positions"] == [3 * first["length"], 5 * first["length"]]


def test_callbacks_and_as_many_steps_as_batches(first: dict[str, Any]) -> None:
    steps = list(range(BATCHES))
    epochs, complaints = first["as_many_steps"]
    assert [epoch[:-1] for epoch in epochs] == [steps, steps]
    assert [epoch[-1] for epoch in epochs] == [BATCHES, 2 * BATCHES]
    assert complaints == []


def test_more_steps_than_batches_end_with_them_as_with_keras(first: dict[str, Any]) -> None:
    (epoch,), complaints = first["more_steps"]
    assert epoch[:-1] == list(range(BATCHES))
    assert complaints == ["UserWarning"]


def test_several_inputs_and_sample_weights(first: dict[str, Any]) -> None:
    assert first["inputs"] == [
        [[[n, 8, 8, 3], [n, 4]], [n, 2], list(range(begin, begin + n))]
        for begin, n in ((0, 4), (4, 4), (8, 2))
    ]
    assert first["on_batch"] == [True] * 3


def test_several_inputs_without_targets_are_inputs_all(first: dict[str, Any]) -> None:
    """Keras takes a list of two for an input and its target; asked by hand it is Keras' list."""
    assert first["inputs_differ_by"] > 0.001, "or a wrong order would not show"
    assert max(first["inputs_alone_wrong_by"]) < 0.0001
    assert first["as_keras_gives_it"] == ["list", "list"]


def test_tuples_of_files_are_inputs(first: dict[str, Any]) -> None:
    sizes = (4, 4, 4)  # seven pairs of cats, five of cups
    assert [step[:2] for step in first["tuples"]] == [[[[n, 8, 8, 3]] * 2, [n, 2]] for n in sizes]
    rows, wrong_by = first["tuples_wrong_by"]
    assert rows == SAMPLES - 3
    assert wrong_by < 0.001


def test_several_outputs(first: dict[str, Any]) -> None:
    assert len(first["outputs"]) == 2
    for inputs, outputs, _ in first["outputs"]:
        assert inputs == [4, 8, 8, 3]
        assert outputs == [[4], [4]]


def test_weights_of_a_data_frame(first: dict[str, Any]) -> None:
    weights = [weight for _, _, step in first["weights"] for weight in step]
    assert weights == list(np.arange(8) * 10.0)


def test_data_sets_of_the_iterator(backend: str, first: dict[str, Any]) -> None:
    if backend == "jax":
        pytest.skip("it has no data set of its own")
    seen, position = first["datasets"]
    assert seen == 2 * [[[[n, 8, 8, 3], [n, 4]], [n, 2], None] for n in (4, 4, 2)]
    assert position == 6
    assert first.get("repeated", 5) == 5


def test_the_model_ends_up_with_the_weights_that_keras_own_iterator_gives(
    backend: str, first: dict[str, Any]
) -> None:
    if backend == "jax":
        pytest.skip("it compiles too long; the batches are the same")
    assert first["keras_moved_by"] > 0.01
    assert first["differs_from_keras_by"] < 1e-5
