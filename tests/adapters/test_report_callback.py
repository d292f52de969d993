"""`ReportCallback`: the speed of the batches in the logs of Keras, for whoever writes logs."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from executor_support import AUGMENTED, flow
from keras_programs import found_by
from recording import recording_model

import imageloom
from imageloom import ArgumentTypeError
from imageloom._executors.shared import make_executor

pytestmark = pytest.mark.frameworks("keras", "jax")
NAMES = {"images_per_second", "waiting_share"}


def train(it: Any, callbacks: list[Any], **fit: Any) -> dict[str, list[float]]:
    """The history of two epochs."""
    model = recording_model(lambda _: None)
    with it:
        history = model.fit(it, **{"epochs": 2, "verbose": 0, **fit}, callbacks=callbacks)
    found: dict[str, list[float]] = history.history
    return found


@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_the_history_has_the_speed_of_each_epoch(kind: str, crops: Path) -> None:
    executor = make_executor(kind, 2, disable_gpu=True)
    it = flow(crops, executor, **AUGMENTED)
    history = train(it, [imageloom.ReportCallback(it)], epochs=3)
    executor.close()
    assert history.keys() >= NAMES
    for speed, share in zip(history["images_per_second"], history["waiting_share"], strict=True):
        assert type(speed) is type(share) is float
        assert speed > 0
        assert 0 <= share <= 1
    # Of the first epoch, Keras reads batches before the callback hears of it, to build the model: with
    # JAX one, and two with Keras 3.10. Those count in the report alone.
    rates = [epoch.images_per_second for epoch in it.report().epochs]
    assert history["images_per_second"][1:] == pytest.approx(rates[1:3], rel=0.01)


@pytest.mark.parametrize("place", [0, 1])
def test_csv_files_have_it_wherever_the_callback_stands(
    place: int, crops: Path, tmp_path: Path
) -> None:
    """A callback that stands before another one would not see its logs."""
    keras = pytest.importorskip("keras")
    it = flow(crops)
    callbacks = [keras.callbacks.CSVLogger(tmp_path / "log.csv")]
    callbacks.insert(place, imageloom.ReportCallback(it))
    given = list(callbacks)
    train(it, callbacks, validation_data=flow(crops))
    assert callbacks == given, "the user's own list stays as it is"
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert len(rows) == 2
    for row in rows:
        assert float(row["images_per_second"]) > 0
        assert 0 <= float(row["waiting_share"]) <= 1
        assert "val_loss" in row


def test_others_are_called_once_and_all_of_them(crops: Path) -> None:
    keras = pytest.importorskip("keras")
    called: list[str] = []

    def telling(name: str) -> Any:
        return keras.callbacks.LambdaCallback(on_train_begin=lambda _: called.append(name))

    it = flow(crops)
    train(it, [telling("a"), telling("b"), imageloom.ReportCallback(it), telling("c")], epochs=1)
    assert called == ["a", "b", "c"]


def test_validation_and_other_pauses_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = iter([(0, 0, 0.0, 0.0), (44, 40, 10.0, 2.5), (44, 40, 10.0, 2.5), (84, 80, 14.0, 3.5)])

    def report() -> Any:
        images, timed, seconds, waited = next(reports)
        return SimpleNamespace(images=images, timed_images=timed, seconds=seconds, waited=waited)

    callback = imageloom.ReportCallback(SimpleNamespace(report=report))
    found = []
    for epoch in range(2):
        logs: dict[str, float] = {"loss": 1.0}
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, logs)
        found.append(logs)
    assert found[0] == {"loss": 1.0, "images_per_second": 4.0, "waiting_share": 0.25}
    assert found[1] == {"loss": 1.0, "images_per_second": 10.0, "waiting_share": 0.25}


def test_epochs_of_one_batch_and_of_fewer_steps(crops: Path) -> None:
    it = flow(crops, batch_size=-1)
    history = train(it, [imageloom.ReportCallback(it)])
    assert all(speed > 0 for speed in history["images_per_second"])
    it = flow(crops)
    history = train(it, [imageloom.ReportCallback(it)], steps_per_epoch=2)
    assert all(speed > 0 for speed in history["images_per_second"])


def test_callers_without_logs_or_a_list_are_borne(crops: Path) -> None:
    callback = imageloom.ReportCallback(flow(crops))
    callback.on_train_begin()
    callback.on_epoch_end(0, {})
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0)
    logs: dict[str, float] = {}
    callback.on_epoch_end(0, logs)
    assert logs.keys() == NAMES


@pytest.mark.parametrize("wrong", [None, [1], "train"], ids=repr)
def test_what_is_no_iterator(wrong: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="`iterator` must be the iterator that is passed to"):
        imageloom.ReportCallback(wrong)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_tensorboard_and_keras_2_take_it(crops: Path, tmp_path: Path) -> None:
    pytest.importorskip("tf_keras")
    found = found_by("adapters/reports_to_others.py", "tensorflow", crops, tmp_path)
    for keras in ("keras_2", "keras_3"):
        assert found[keras].keys() >= NAMES
        assert all(speed > 0 for speed in found[keras]["images_per_second"])
    assert {f"epoch_{name}" for name in NAMES} <= set(found["tensorboard"])
