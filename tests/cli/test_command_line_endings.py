"""The command line in real processes: pipes, a terminal, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from programs import run_program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")

if os.name == "posix":
    import fcntl
    import termios

PROGRAM = (sys.executable, "-m", "imageloom")
PATIENCE = 60


def write_images(folder: Path, side: int, count: int) -> Path:
    """Two classes of one image under many names."""
    noise = np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)
    for name in ("a", "b"):
        (folder / name).mkdir()
        first = folder / name / "first.png"
        Image.fromarray(noise).save(first, compress_level=1)
        for i in range(1, count):
            os.link(first, folder / name / f"{i:04}.png")
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Done at once."""
    return write_images(tmp_path_factory.mktemp("few"), 8, 3)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some seconds' work."""
    return write_images(tmp_path_factory.mktemp("many"), 700, 200)


@contextmanager
def started(*arguments: object, **options: object) -> Iterator[subprocess.Popen[str]]:
    """The program in a session of its own, as a terminal would start it; nothing of it is left."""
    process = subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        text=True,
        start_new_session=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},  # type: ignore[call-overload]
    )
    try:
        with process:
            yield process
    finally:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    pause = select.poll()
    while not condition():
        assert time.monotonic() < end
        pause.poll(10)


@pytest.mark.slow
def test_nothing_but_results_in_a_pipe(few: Path, tmp_path: Path) -> None:
    """No bar, no escape code; what is no result is on standard error."""
    for arguments in (
        ("inspect", few, "--json"),
        ("preview", few, "--samples", 1, "--versions", 1, "-o", tmp_path / "x.png", "--json"),
    ):
        with started(*arguments) as process:
            out, err = process.communicate(timeout=PATIENCE)
        # The images lie directly in the folder, which `inspect` takes for a mistake.
        assert process.returncode == (1 if arguments[0] == "inspect" else 0)
        assert err == ""
        assert "\x1b" not in out
        assert "\r" not in out
        assert json.loads(out)


@pytest.mark.slow
@pytest.mark.parametrize("width", [100, 60])
def test_a_bar_in_a_terminal(many: Path, width: int) -> None:
    leading, following = os.openpty()
    fcntl.ioctl(following, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    try:
        with started("inspect", many, stderr=following) as process:
            os.close(following)
            out = process.communicate(timeout=PATIENCE)[0]
        seen = b""
        while select.select([leading], [], [], 1)[0]:
            try:
                part = os.read(leading, 65536)
            except OSError:
                break
            if not part:
                break
            seen += part
    finally:
        os.close(leading)
    assert process.returncode == 1  # the images lie directly in the folder
    assert b"inspect" in seen
    assert b"400" in seen
    assert all(len(line) <= width for line in re.split("[\r\n]", seen.decode()))
    assert "400 images" in out
    assert "\r" not in out


def test_a_reader_that_goes_away(few: Path) -> None:
    """As with `| head -1`: no word, no traceback."""
    with started("inspect", few, "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before there is anything to read: what is written then must fail
        err = process.stderr.read()
        assert process.wait(PATIENCE) == 141
    assert err == ""


@pytest.mark.slow
def test_ctrl_c(many: Path, tmp_path: Path) -> None:
    """Status 130, one word, no worker, and the file of an earlier run as it was."""
    kept = tmp_path / "kept.npz"
    kept.write_bytes(b"earlier")
    for arguments, workers in (
        (("inspect", many), False),
        (("stats", many, "-o", kept, "--size", 600, 600), True),
        (("bench", many, "--seconds", 30, "--executor", "processes"), True),
    ):
        with started(*arguments) as process:
            program = psutil.Process(process.pid)
            if workers:
                wait_until(lambda program=program: bool(program.children()))  # type: ignore[misc]
            else:
                wait_until(lambda program=program: program.num_threads() > 2)  # type: ignore[misc]
            children = program.children(recursive=True)
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        # Python itself ends by the signal, which shells report as 130, too, if it came while a text was
        # executed, as `dataclasses` does during an import.
        assert process.returncode in (130, -signal.SIGINT), err
        assert out == ""
        assert err == "Interrupted.\n"
        _, alive = psutil.wait_procs(children, PATIENCE)
        assert not alive
    assert kept.read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.npz"]


def test_ctrl_c_while_a_file_is_written(tmp_path: Path) -> None:
    target = tmp_path / "x.png"
    target.write_bytes(b"earlier")
    done = run_program("cli/ctrl_c_while_a_file_is_written.py", target, cwd=tmp_path, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "interrupted\n"
    assert target.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_one_line(few: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no device that is always full")
    with open("/dev/full", "w") as full, started("inspect", few, stdout=full) as process:
        err = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1
    assert err.startswith("Error: ")
    assert "Traceback" not in err
