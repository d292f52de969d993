"""Epoch after epoch, a program takes no more memory, descriptors, threads or processes than before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from programs import run_program

from imageloom._machine import worker_count

MEMORY = 10 * 2**20


def run_epochs(
    crops: Path, folder: Path, executor: str, epochs: int, leak: str = "pass"
) -> list[dict[str, Any]]:
    """What the program measured after each epoch."""
    workers = 2 * worker_count(2) if executor == "processes" else 0
    arguments = executor, epochs, workers, leak
    environment = {"CROPS": str(crops)}
    done = run_program(
        "reliability/epoch_after_epoch.py", *arguments, cwd=folder, environment=environment, timeout=600
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("MEASURED ")]
    measured: list[dict[str, Any]] = json.loads(line.removeprefix("MEASURED "))
    assert len(measured) == epochs
    return measured


def grown(measured: list[dict[str, Any]]) -> dict[str, int]:
    """What there is more of after the last epoch than after the second, beyond what may be.

    Of memory the least of the last three counts: how many batches are under way is chance.
    """
    second, last = measured[1], dict(measured[-1])
    for name in ("resident", "own", "of_workers"):
        last[name] = min(epoch[name] for epoch in measured[-3:]) - MEMORY
    return {name: last[name] - second[name] for name in second if last[name] > second[name]}


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "threads", "serial"])
def test_the_twelfth_epoch_takes_what_the_second_took(
    crops: Path, tmp_path: Path, executor: str
) -> None:
    measured = run_epochs(crops, tmp_path, executor, 12)
    assert not grown(measured), measured


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("executor", ["processes", "threads", "serial"])
def test_the_fiftieth_epoch_takes_what_the_second_took(
    crops: Path, tmp_path: Path, executor: str
) -> None:
    measured = run_epochs(crops, tmp_path, executor, 50)
    assert not grown(measured), measured


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leak", "what"),
    [
        ("globals().setdefault('kept', []).append(images.copy())", "own"),
        ("globals().setdefault('kept', []).append(os.open(os.devnull, os.O_RDONLY))", "descriptors"),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", "threads"),
    ],
    ids=["memory", "descriptor", "thread"],
)
def test_what_a_program_itself_loses_is_seen(crops: Path, tmp_path: Path, leak: str, what: str) -> None:
    """The measurement can tell."""
    assert what in grown(run_epochs(crops, tmp_path, "serial", 12, leak))
