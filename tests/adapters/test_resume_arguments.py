"""Mistakes in calls of `ResumeCallback` and `load_state_dict`: refused by name, at the call."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import flow

import imageloom
from imageloom import ImageDataGenerator, ImageLoomError

BEHIND_KERAS = pytest.mark.frameworks("keras")
# What a file that is no state, or a damaged one, may hold in the place of anything.
ODD: list[Any] = [
    None, True, -1, 10**30, 1.5, float("nan"), "x", b"x", [], {}, [1], {"a": 1}, np.float64(1),
    np.array([1, 2]), object(), "\ud800",
]  # fmt: skip


@BEHIND_KERAS
@pytest.mark.parametrize("path", [3, None, b"position.json", ["position.json"]], ids=repr)
def test_the_path_of_a_callback(path: Any, crops: Path) -> None:
    with pytest.raises(imageloom.ArgumentTypeError, match="`path` must be a path of a JSON file"):
        imageloom.ResumeCallback(flow(crops), path)


@BEHIND_KERAS
def test_a_folder_in_the_place_of_its_file(crops: Path, tmp_path: Path) -> None:
    with pytest.raises(imageloom.InvalidArgumentError, match="is a folder"):
        imageloom.ResumeCallback(flow(crops), tmp_path)


@BEHIND_KERAS
@pytest.mark.parametrize("iterator", [None, 3, "position.json", np.zeros(3)], ids=repr)
def test_the_iterator_of_a_callback(iterator: Any, tmp_path: Path) -> None:
    with pytest.raises(imageloom.ArgumentTypeError, match="`iterator` must be an iterator"):
        imageloom.ResumeCallback(iterator, tmp_path / "position.json")


@BEHIND_KERAS
def test_a_wrong_keyword_of_a_callback(crops: Path, tmp_path: Path) -> None:
    with pytest.raises(imageloom.ArgumentTypeError, match="did you mean `save_freq`"):
        imageloom.ResumeCallback(flow(crops), tmp_path / "a", save_frequency=1)  # type: ignore[call-arg]


def test_a_file_in_the_place_of_a_state(crops: Path) -> None:
    for state in ("position.json", Path("position.json"), None, 3):
        with pytest.raises(imageloom.ArgumentTypeError, match=r"json\.load"):
            flow(crops).load_state_dict(state)  # type: ignore[arg-type]


def changes(state: dict[str, Any]) -> list[Callable[[dict[str, Any]], None]]:
    """Every value of a state, on both levels, replaced by every odd one, or left out."""

    def changed(level: str, name: str, value: Any) -> Callable[[dict[str, Any]], None]:
        def change(one: dict[str, Any]) -> None:
            (one[level] if level else one)[name] = value

        return change

    places = [("", name) for name in state] + [("fingerprint", name) for name in state["fingerprint"]]
    return [changed(level, name, value) for level, name in places for value in ODD]


@pytest.mark.slow
def test_damaged_states_get_our_error_or_are_whole() -> None:
    images = np.zeros((6, 4, 4, 3), "uint8")
    generator = ImageDataGenerator(executor="serial")
    it = generator.flow(images, batch_size=2, seed=1)
    next(it)
    state = it.state_dict()
    all_changes = changes(state)
    random.Random(3).shuffle(all_changes)
    refused = 0
    for change in all_changes:
        damaged = copy.deepcopy(state)
        change(damaged)
        try:
            it.load_state_dict(damaged)
        except ImageLoomError:
            refused += 1
    assert refused > 0.9 * len(all_changes)
    it.load_state_dict(state)
    assert it.total_batches_seen == 1
