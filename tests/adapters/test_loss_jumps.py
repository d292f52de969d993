"""`LossJumpCallback`: the steps whose loss jumped, with the batches that Keras really trained on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from executor_support import flow
from keras_programs import found_by

import imageloom
from imageloom import ArgumentTypeError, ImageDataGenerator, InvalidArgumentError

pytestmark = pytest.mark.frameworks("keras", "jax")


def outlier(samples: int = 40, odd: tuple[int, ...] = (17,)) -> Any:
    """An iterator over similar samples, of which some have a target far away."""
    x = np.full((samples, 4, 4, 1), 100, "uint8")
    y = np.ones(samples)
    y[[*odd]] = 1000
    return ImageDataGenerator(executor="serial", rescale=1 / 255).flow(x, y, 4, seed=3, shuffle=True)


def regression() -> Any:
    import keras

    model = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(1, kernel_initializer="zeros")]
    )
    model.compile(keras.optimizers.SGD(1e-7), "mae")
    return model


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_step_of_an_outlier_is_noted_and_replayed(shuffle: bool, tmp_path: Path) -> None:
    it, path = outlier(), tmp_path / "jumps.json"
    jumps = imageloom.LossJumpCallback(it, path)
    regression().fit(it, epochs=3, shuffle=shuffle, callbacks=[jumps], verbose=0)
    assert 2 <= len(jumps.jumps) <= 3, "in the first steps of the first epoch, nothing is usual yet"
    for jump in jumps.jumps:
        _, targets = it.batch(jump["position"])
        assert 1000 in targets
        assert 17 in jump["files"]
        assert jump["loss"] == pytest.approx(250, rel=0.05)
        assert jump["usual"] < 3
        assert jump["step"] == jump["epoch"] * len(it) + jump["batch"] + 1
        assert jump["position"] // len(it) == jump["epoch"]
    saved = json.loads(path.read_text())
    assert saved["jumps"] == jumps.jumps
    assert saved["format"] == "imageloom-loss-jumps"


def test_the_file_is_replayed_by_the_command(crops: Path, tmp_path: Path) -> None:
    it, path = flow(crops, horizontal_flip=True), tmp_path / "jumps.json"
    jumps = imageloom.LossJumpCallback(it, path)
    jumps.set_params({})
    jumps.on_train_begin()
    jumps.on_epoch_begin(0)
    it._stream.get(2)
    jumps.on_train_batch_end(0, {"loss": math.inf})
    (jump,) = jumps.jumps
    assert jump["loss"] == "inf"
    assert jump["usual"] is None
    out = tmp_path / "sheet.png"
    lines = run("replay", path, "--step", jump["position"], "-o", out).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == jump["files"]


class Heard:
    """Drives a callback by hand, with the losses of batches of 4 samples."""

    def __init__(self, **given: Any) -> None:
        self.it = outlier(400)
        self.callback = imageloom.LossJumpCallback(self.it, **given)
        self.callback.on_train_begin()
        self.callback.on_epoch_begin(0)
        self.sum, self.batch = 0.0, 0

    def hear(self, *losses: float) -> int:
        for loss in losses:
            self.it[self.batch]
            self.sum += loss
            self.batch += 1
            self.callback.on_train_batch_end(self.batch - 1, {"loss": self.sum / self.batch})
        return len(self.callback.jumps)


def test_what_a_jump_is() -> None:
    assert Heard().hear(*[1.0] * 4, 50.0) == 0, "not enough to compare with"
    assert Heard().hear(*[1.0] * 8, 2.9) == 0
    assert Heard().hear(*[1.0] * 8, 3.1) == 1
    assert Heard(factor=10).hear(*[1.0] * 8, 9.0) == 0
    assert Heard().hear(*[2.0, 0.1, 1.0] * 4, 4.5) == 0, "the usual spread is as large"
    assert Heard().hear(*[-1.0] * 8, 0.5) == 0
    assert Heard().hear(*[-1.0] * 8, 1.5) == 1
    assert Heard().hear(*[1.0] * 8, *[9.0] * 3) == 3, "jumps do not become usual"


def test_after_a_loss_that_is_none_the_epoch_says_nothing_more() -> None:
    heard = Heard()
    assert heard.hear(*[1.0] * 8, math.nan, math.nan, math.nan) == 1
    heard.callback.on_epoch_begin(1)
    heard.sum, heard.batch = 0.0, 0
    assert heard.hear(1.0, 9.0) == 2
    assert heard.callback.jumps[1]["epoch"] == 1


def test_several_steps_in_a_call() -> None:
    heard = Heard()
    for first in range(0, 14, 2):
        heard.it[first], heard.it[first + 1]
        loss = 40.0 if first == 12 else 1.0
        mean = (first + 2 * loss) / (first + 2) if first == 12 else 1.0
        heard.callback.on_train_batch_end(first + 1, {"loss": mean})
    (jump,) = heard.callback.jumps
    assert jump["positions"] == [12, 13]
    assert jump["position"] == 12
    assert jump["step"] == 14
    assert jump["loss"] == pytest.approx(40)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_the_positions_are_those_of_the_trained_batches(
    backend: str, crops: Path, tmp_path: Path
) -> None:
    """With any backend, also where Keras looks at batches before or goes on in the middle of a pass."""
    pytest.importorskip(backend)
    found = found_by("adapters/trained_positions.py", backend, crops, tmp_path)
    assert found["fits"] == 3
    for trained, noted in found["marks"]:
        assert len(noted) >= 6
        assert trained[-len(noted) :] == noted


@pytest.mark.slow
@pytest.mark.frameworks("tf_keras", "tensorflow")
def test_keras_2_begins_each_pass_anew(crops: Path, tmp_path: Path) -> None:
    whole, stopped = found_by("adapters/keras_2_jumps.py", "jax", crops, tmp_path)["found"]
    assert len(whole) >= 3
    assert all(there for _, there in whole)
    # What Keras still requests of an epoch that has ended may be counted as the next one's, so that
    # only the first epoch is sure.
    assert stopped[0] == [0, True]


def test_wrong_arguments(tmp_path: Path) -> None:
    it = outlier()
    with pytest.raises(ArgumentTypeError, match="made by a generator"):
        imageloom.LossJumpCallback([1, 2])  # type: ignore[arg-type]
    for factor in (1, 0.5, math.nan, "3", None):
        with pytest.raises((InvalidArgumentError, ArgumentTypeError), match="`factor`"):
            imageloom.LossJumpCallback(it, factor=factor)  # type: ignore[arg-type]
    for window in (4, 0, 2.5, None):
        with pytest.raises((InvalidArgumentError, ArgumentTypeError), match="`window`"):
            imageloom.LossJumpCallback(it, window=window)  # type: ignore[arg-type]
    with pytest.raises((InvalidArgumentError, ArgumentTypeError), match="`path`"):
        imageloom.LossJumpCallback(it, 3)  # type: ignore[arg-type]
