"""Training with Keras 2 (`tf_keras`), which takes the iterator for a `Sequence`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from executor_support import BATCHES, SAMPLES
from keras_programs import found_by

pytest.importorskip("tf_keras")
pytestmark = pytest.mark.timeout(240)  # one program at work for all tests

# Imageloom first, then `tensorflow.keras`, which here is tf_keras; Keras 3 is loaded at the end.


@pytest.fixture(scope="module")
def result(crops: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program found out, once for all tests."""
    return found_by("adapters/keras_2.py", "tensorflow", crops, tmp_path_factory.mktemp("tf_keras"))


def batches(epoch: int) -> list[int]:
    return list(range(epoch * BATCHES, (epoch + 1) * BATCHES))


def test_is_a_sequence_though_made_before_tf_keras_was_imported(result: dict[str, Any]) -> None:
    assert result["legacy"] is True
    assert result["is_sequence"] is True


def test_every_epoch_trains_on_its_epoch_of_the_stream(result: dict[str, Any]) -> None:
    epochs, position = result["plain"]
    assert [sorted(epoch) for epoch in epochs] == [batches(0), batches(1), batches(2)]
    assert any(epoch != sorted(epoch) for epoch in epochs), "Keras shuffles the batches"
    assert position == 3 * BATCHES


def test_its_shuffled_order_was_prefetched(result: dict[str, Any]) -> None:
    hits, asked = result["hits"]
    assert hits >= 0.75 * asked


def test_class_weights(result: dict[str, Any]) -> None:
    weight_of = {int(number): weight for number, weight in result["class_weights"].items()}
    assert len(set(weight_of.values())) == 3
    assert len(result["weights"]) == 3 * BATCHES
    for classes, weights in result["weights"]:
        assert weights == pytest.approx([weight_of[number] for number in classes])


@pytest.mark.parametrize(("name", "first"), [("few_steps", 1), ("threads_few_steps", 3)])
def test_fewer_steps_than_batches_are_of_a_new_epoch_each_time(
    result: dict[str, Any], name: str, first: int
) -> None:
    """tf_keras begins anew every epoch; else the same batches would come again and again."""
    epochs, position = result[name]
    assert [len(epoch) for epoch in epochs] == [2, 2, 2]
    for number, epoch in enumerate(epochs, start=first):
        assert set(epoch) < set(batches(number))
    assert position == (first + 3) * BATCHES


def test_fewer_steps_in_order(result: dict[str, Any]) -> None:
    assert result["in_order"] == [[batches(1)[:2], batches(2)[:2]], 3 * BATCHES]


def test_more_steps_than_batches_end_with_them(result: dict[str, Any]) -> None:
    (epoch,), _ = result["many_steps"]
    assert sorted(epoch) == batches(1)


def test_its_own_threads_that_read_ahead_do_not_skip_an_epoch(result: dict[str, Any]) -> None:
    epochs, position = result["threads"]
    assert [sorted(epoch) for epoch in epochs] == [batches(2), batches(3), batches(4)]
    assert position == 5 * BATCHES


def test_its_own_processes_get_the_same_batches(result: dict[str, Any]) -> None:
    epochs, position = result["processes"]
    assert [sorted(epoch) for epoch in epochs] == [batches(1), batches(2)]
    assert position == 3 * BATCHES


def test_rows_of_predict_follow_the_filenames(result: dict[str, Any]) -> None:
    assert result["neighbours_differ_by"] > 0.001, "or a wrong order would not show"
    for rows, wrong_by in result["rows"]:
        assert rows == SAMPLES
        assert wrong_by < 1e-5


def test_evaluate(result: dict[str, Any]) -> None:
    assert result["evaluated"] == [True, True]


def test_several_inputs(result: dict[str, Any]) -> None:
    assert result["inputs"] == 2
    assert result["inputs_wrong_by"] < 1e-4


def test_both_kerases_at_once(result: dict[str, Any]) -> None:
    assert result["is_both"] == [True, True]
    assert result["seen_by_both"] == 2 * BATCHES


def test_both_kerases_imported_first(crops: Path, tmp_path: Path) -> None:
    result = found_by("adapters/both_kerases.py", "tensorflow", crops, tmp_path)
    assert result["is"] == [True, True]
    assert result["seen"] == [BATCHES, 2 * BATCHES]
    assert result["format"] == ["channels_last", "channels_first"]
