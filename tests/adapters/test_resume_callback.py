"""Passes under Keras' protocol after loading, and `ResumeCallback` with Keras on JAX."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from executor_support import (
    AUGMENTED,
    BATCHES,
    assert_same_batches,
    call_as_keras,
    flow,
    take,
)
from programs import PROGRAMS, environment_of
from recording import mark, recording_model

import imageloom
from imageloom import DirectoryIterator, ImageDataGenerator, InvalidArgumentError, StateMismatchError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

BEHIND_KERAS = pytest.mark.frameworks("keras", "jax")


# Passes under Keras' protocol


@pytest.fixture(scope="module", params=["serial", "threads", "processes"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made = make_executor(request.param, 2, disable_gpu=True)
    yield made
    made.close()


def loaded(crops: Path, position: int, executor: Executor | None = None) -> DirectoryIterator:
    """An iterator that stands at a position because a state says so."""
    it = flow(crops, executor, **AUGMENTED)
    it.load_state_dict({**flow(crops, **AUGMENTED).state_dict(), "position": position})
    return it


def one_pass(it: DirectoryIterator, order: list[int]) -> list[Any]:
    """What Keras does: batches in some order, here sorted by number afterwards."""
    it.on_epoch_begin()
    batches = {index: it[index] for index in order}
    it.on_epoch_end()
    return [batches[index] for index in sorted(batches)]


@pytest.mark.slow
@pytest.mark.parametrize("position", [0, 1, BATCHES - 1, BATCHES, BATCHES + 2])
def test_passes_begin_with_the_batch_to_come_and_go_on_over_the_epochs_border(
    crops: Path, executor: Executor, position: int
) -> None:
    stream = take(flow(crops, **AUGMENTED), position + 3 * BATCHES)[position:]
    with loaded(crops, position, executor) as it:
        for number, order in enumerate(([*range(BATCHES)], [3, 0, 5, 1, 4, 2])):
            received = one_pass(it, order)
            assert_same_batches(received, stream[number * BATCHES : (number + 1) * BATCHES])
            assert it.total_batches_seen == position + (number + 1) * BATCHES
        assert_same_batches(take(it, BATCHES), stream[2 * BATCHES :])


def test_reset_after_loading_goes_to_the_start_of_the_epoch(crops: Path) -> None:
    stream = take(flow(crops, **AUGMENTED), 2 * BATCHES)
    it = loaded(crops, BATCHES + 2)
    assert_same_batches([it[0]], stream[BATCHES + 2 : BATCHES + 3])
    it.reset()
    assert it.total_batches_seen == BATCHES
    assert_same_batches([it[0]], stream[BATCHES : BATCHES + 1])
    assert_same_batches(take(it, 2), stream[BATCHES : BATCHES + 2])


def test_an_unfinished_pass_is_saved_as_its_start(crops: Path) -> None:
    for position in (0, 2, BATCHES):
        it = loaded(crops, position)
        it.on_epoch_begin()
        for index in (4, 1, 0):
            it[index]
            assert it.state_dict()["position"] == position
        call_as_keras(it.on_epoch_end)
        assert it.state_dict()["position"] == position


def test_random_access_between_nexts_does_not_move_what_is_saved(crops: Path) -> None:
    it = flow(crops)
    take(it, 2)
    it[5]
    it[0]
    assert it.state_dict()["position"] == 2


def test_whether_a_pass_is_read_in_order_is_told_afresh_for_each(crops: Path) -> None:
    it = loaded(crops, 3)
    it.on_epoch_begin()
    told = []
    for index in (0, 0, 1, 0, 2, 4):
        it[index]
        told.append(it.read_in_order)
    assert told == [True, True, True, True, True, False]
    it.on_epoch_begin()
    assert not it.read_in_order, "the pass goes on"
    for index in range(len(it)):
        it[index]
    it.on_epoch_end()
    assert it.read_in_order


# The callback


def train(it: DirectoryIterator, file: Path, save_freq: Any = "epoch", **fit: Any) -> list[int]:
    """What `fit` trains on, going on from the file."""
    trained: list[int] = []
    resume = imageloom.ResumeCallback(it, file, save_freq)
    model = recording_model(trained.append)
    with it:
        model.fit(it, initial_epoch=resume.epoch, verbose=0, callbacks=[resume], **fit)
    return trained


def saved(file: Path) -> tuple[int, int]:
    """Epoch and position in the file."""
    content = json.loads(file.read_text())
    return content["epoch"], content["iterator"]["position"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the position is kept; nothing else is in its folder."""
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept" / "position.json"


@pytest.fixture(scope="module")
def stream(crops: Path) -> list[int]:
    """The marks of the first four epochs of the stream."""
    marks = [mark(images) for images, _ in take(flow(crops, **AUGMENTED), 4 * BATCHES)]
    assert len(set(marks)) == len(marks)
    return marks


@BEHIND_KERAS
@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "in-order"])
def test_stopped_after_each_epoch_a_training_goes_on(
    crops: Path, file: Path, stream: list[int], executor: Executor, shuffle: bool
) -> None:
    orders = []
    for epoch in range(3):
        trained = train(flow(crops, executor, **AUGMENTED), file, epochs=epoch + 1, shuffle=shuffle)
        assert saved(file) == (epoch + 1, (epoch + 1) * BATCHES)
        orders.append([stream.index(batch) for batch in trained])
        assert sorted(orders[-1]) == [*range(epoch * BATCHES, (epoch + 1) * BATCHES)]
        assert [path.name for path in file.parent.iterdir()] == [file.name]
    # With Keras' default order, or else this would not show that it is borne.
    assert any(order != sorted(order) for order in orders) == shuffle


@BEHIND_KERAS
def test_uninterrupted_training_saves_the_same(crops: Path, file: Path, stream: list[int]) -> None:
    trained = train(flow(crops, **AUGMENTED), file, 4, epochs=3, shuffle=False)
    assert trained == stream[: 3 * BATCHES]
    assert saved(file) == (3, 3 * BATCHES)


class StopError(Exception):
    """Ends a training."""


@BEHIND_KERAS
@pytest.mark.parametrize(("save_freq", "kept"), [(1, 3), (2, 2), (4, 0)])
def test_stopped_within_an_epoch_it_goes_on_after_the_last_saved_batch(
    crops: Path, file: Path, stream: list[int], executor: Executor, save_freq: int, kept: int
) -> None:
    trained: list[int] = []

    def hear(batch: int) -> None:
        trained.append(batch)
        if len(trained) == BATCHES + 4:
            raise StopError

    with flow(crops, executor, **AUGMENTED) as it:
        resume = imageloom.ResumeCallback(it, file, save_freq)
        with pytest.raises(StopError):
            recording_model(hear).fit(it, epochs=3, shuffle=False, verbose=0, callbacks=[resume])
    position = BATCHES + kept
    assert saved(file) == (1, position)
    assert trained == stream[: BATCHES + 4]
    after = train(flow(crops, executor, **AUGMENTED), file, save_freq, epochs=3, shuffle=False)
    assert after == stream[position : position + 2 * BATCHES], "two whole passes, as Keras counts"
    assert saved(file) == (3, position + 2 * BATCHES)


@BEHIND_KERAS
def test_killed_within_an_epoch_a_new_process_goes_on(crops: Path, file: Path) -> None:
    """Batches that were read ahead, but not trained on, come again."""
    it = ImageDataGenerator(executor="serial", horizontal_flip=True, rescale=1 / 255)
    right = it.flow_from_directory(crops, target_size=(24, 24), batch_size=4, seed=4)
    stream = [mark(next(right)[0]) for _ in range(4 * BATCHES)]
    hold_at = BATCHES + 3

    def command(hold_at: int) -> list[str]:
        program = PROGRAMS / "adapters/killed_within_an_epoch.py"
        return [sys.executable, str(program), str(crops), str(file), str(hold_at)]

    with subprocess.Popen(
        command(hold_at),
        env=environment_of(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        trained = next((line for line in program.stdout if line.startswith("[")), "[]")
        program.kill()
    assert program.returncode == -signal.SIGKILL
    assert json.loads(trained) == stream[:hold_at]
    assert saved(file) == (1, hold_at - 1), "the batch it was at had not been counted yet"
    done = subprocess.run(
        command(0), env=environment_of(), capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    after = json.loads(done.stdout.splitlines()[-1])
    assert after == stream[hold_at - 1 : hold_at - 1 + 2 * BATCHES]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@BEHIND_KERAS
def test_saving_within_shuffled_epochs_is_an_error(crops: Path, file: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="pass shuffle=False to fit"):
        train(flow(crops), file, 1, epochs=5)


@BEHIND_KERAS
def test_fewer_steps_than_batches_are_counted(crops: Path, file: Path, stream: list[int]) -> None:
    trained = train(flow(crops, **AUGMENTED), file, epochs=2, steps_per_epoch=2, shuffle=False)
    assert trained == stream[:4]
    assert saved(file) == (2, 4)


@BEHIND_KERAS
def test_fewer_steps_than_batches_may_be_saved_within_epochs(crops: Path, file: Path) -> None:
    train(flow(crops), file, 1, epochs=2, steps_per_epoch=2, shuffle=False)
    assert saved(file) == (2, 4)


# The file


@BEHIND_KERAS
def test_the_position_is_restored_when_the_callback_is_made(crops: Path, tmp_path: Path) -> None:
    file = tmp_path / "position.json"
    first = flow(crops)
    callback = imageloom.ResumeCallback(first, file)
    assert (callback.epoch, callback.position) == (0, 0)
    one_pass(first, [*range(BATCHES)])
    callback.position = first.total_batches_seen
    callback.on_epoch_end(0)
    other = flow(crops)
    restored = imageloom.ResumeCallback(other, str(file))
    assert (restored.epoch, restored.position) == (1, BATCHES)
    assert other.total_batches_seen == BATCHES
    with pytest.raises(StateMismatchError, match="seed"):
        imageloom.ResumeCallback(flow(crops, seed=99), file)
    with pytest.raises(StateMismatchError, match="rotation_range"):
        imageloom.ResumeCallback(flow(crops, rotation_range=3), file)


@BEHIND_KERAS
@pytest.mark.parametrize("save_freq", [0, -1, "batch", 1.5, None])
def test_save_freq_that_cannot_be(crops: Path, tmp_path: Path, save_freq: Any) -> None:
    with pytest.raises((InvalidArgumentError, TypeError), match="save_freq"):
        imageloom.ResumeCallback(flow(crops), tmp_path / "position.json", save_freq)


@BEHIND_KERAS
def test_the_file_is_replaced_at_once_or_stays(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "position.json"
    callback = imageloom.ResumeCallback(flow(crops), file)
    callback.on_epoch_end(0)
    before = file.read_text()

    def fail(draft: Path, place: Path) -> None:
        assert json.loads(Path(draft).read_text())["epoch"] == 2, "complete before it is in place"
        assert Path(place).read_text() == before
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("imageloom._adapters.resume.os.replace", fail)
        with pytest.raises(OSError, match="the disk is gone"):
            callback.on_epoch_end(1)
    assert [path.name for path in tmp_path.iterdir()] == ["position.json"]
    assert file.read_text() == before
    callback.on_epoch_end(1)
    assert json.loads(file.read_text())["epoch"] == 2


@pytest.mark.frameworks("keras")  # of which the callback is a class
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"7", b'{"epoch": 1}', b'{"epoch": "x", "iterator": {}}', b"\xff\xfe"]
)
def test_a_damaged_file_is_an_error_that_names_it(content: bytes, crops: Path, file: Path) -> None:
    file.write_bytes(content)
    with flow(crops) as it, pytest.raises(InvalidArgumentError, match=f"{file.name}.*damaged"):
        imageloom.ResumeCallback(it, file)
    assert file.read_bytes() == content
