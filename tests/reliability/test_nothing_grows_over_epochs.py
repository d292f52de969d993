"""Epoch after epoch, a program takes no more memory, descriptors, threads or processes than before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from executor_support import run_python

from imageloom._machine import worker_count

# One batch that is lost in each epoch would show: it has 1.7 MB.
PROGRAM = """
import gc, json, os, threading
import psutil
from imageloom import ImageDataGenerator

FLOW = dict(target_size=(192, 192), batch_size=4, seed=1)
this = psutil.Process()

def workers():
    return [c for c in this.children() if "imageloom" in " ".join(c.cmdline())]

def settled():
    # Descriptors of the closed are closed in the background.
    gc.collect()
    for _ in range(100):
        if len(workers()) == WORKERS and this.num_threads() <= most_threads:
            break
        threading.Event().wait(0.005)
    memory = this.memory_full_info()
    return dict(
        resident=memory.rss,
        own=memory.uss,
        of_workers=max([w.memory_full_info().uss for w in workers()], default=0),
        descriptors=this.num_fds() if os.name == "posix" else this.num_handles(),
        of_worker_descriptors=max([w.num_fds() for w in workers()], default=0),
        threads=this.num_threads(),
        children=len(this.children(recursive=True)),
    )

def made(subset):
    generator = ImageDataGenerator(
        cores=2, executor=EXECUTOR, max_batches_pending=1, validation_split=0.3, rotation_range=20
    )
    return generator, generator.flow_from_directory(os.environ["CROPS"], subset=subset, **FLOW)

generator, train = made("training")
_, validation = made("validation")
most_threads, measured = 10**6, []
for epoch in range(EPOCHS):
    train.on_epoch_begin()
    for i in range(len(train)):
        images, targets = train[i]
    train.on_epoch_end()
    for i in range(len(validation)):
        images, targets = next(validation)
    # As `evaluate` does, and as programs do that make an iterator each time.
    with generator.flow_from_directory(os.environ["CROPS"], subset="validation", **FLOW) as again:
        images, targets = next(again)
    LEAK
    del again, images, targets
    measured.append(settled())
    most_threads = measured[0]["threads"]
print("MEASURED " + json.dumps(measured))
"""
MEMORY = 10 * 2**20


def run_epochs(
    crops: Path, folder: Path, executor: str, epochs: int, leak: str = "pass"
) -> list[dict[str, Any]]:
    """What the program measured after each epoch."""
    values = {"EXECUTOR": repr(executor), "EPOCHS": epochs, "LEAK": leak}
    values["WORKERS"] = 2 * worker_count(2) if executor == "processes" else 0
    code = PROGRAM
    for name, value in values.items():
        code = code.replace(name, str(value))
    done = run_python(code, cwd=folder, environment={"CROPS": str(crops)}, timeout=600)
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
