"""What is printed and logged: `verbose`, `set_verbosity`, and the logger `imageloom`."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from programs import run_program

import imageloom
from imageloom import (
    ArgumentTypeError,
    DataFrameIterator,
    DirectoryIterator,
    ImageDataGenerator,
    InvalidArgumentError,
    ParallelImageDataGenerator,
)
from imageloom._log import logger
from imageloom._preview.progress import progress_bar

FOUND = "Found 23 images belonging to 3 classes.\n"


@pytest.fixture(autouse=True)
def as_at_the_start() -> Iterator[None]:
    imageloom.set_verbosity(1)
    yield
    imageloom.set_verbosity(1)


def serial() -> ImageDataGenerator:
    return ImageDataGenerator(executor="serial")


def frame(crops: Path) -> pd.DataFrame:
    names = sorted(path.relative_to(crops).as_posix() for path in crops.rglob("*.*"))
    return pd.DataFrame({"filename": names, "class": [name.split("/")[0] for name in names]})


def directory(crops: Path, **verbose: Any) -> Any:
    return serial().flow_from_directory(crops, (8, 8), **verbose)


def dataframe(crops: Path, **verbose: Any) -> Any:
    return serial().flow_from_dataframe(frame(crops), crops, target_size=(8, 8), **verbose)


def of_mltk(crops: Path, **verbose: Any) -> Any:
    generator = ParallelImageDataGenerator(executor="serial")
    return generator.flow_from_directory(crops, (8, 8), **verbose)


def directory_class(crops: Path, **verbose: Any) -> Any:
    return DirectoryIterator(crops, serial(), (8, 8), **verbose)


def dataframe_class(crops: Path, **verbose: Any) -> Any:
    return DataFrameIterator(frame(crops), crops, serial(), **verbose)


FLOWS = [directory, dataframe, of_mltk, directory_class, dataframe_class]


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("verbose", [False, 0, np.bool_(False), np.int64(0)], ids=repr)
def test_nothing_is_printed_if_so_asked(
    flow: Any, verbose: Any, crops: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with flow(crops, verbose=verbose) as it:
        next(it)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("verbose", [{}, True, 1, 2, "auto"], ids=repr)
def test_the_line_of_keras_is_all_that_is_printed(
    flow: Any, verbose: Any, crops: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with flow(crops, **(verbose if verbose == {} else {"verbose": verbose})) as it:
        next(it)
    printed = capfd.readouterr()
    wanted = FOUND if "dir" in flow.__name__ or flow is of_mltk else None
    assert printed.out == (wanted or "Found 23 validated image filenames belonging to 3 classes.\n")
    assert printed.err == ""


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    ("verbose", "error"),
    [
        (3, InvalidArgumentError),
        (-1, InvalidArgumentError),
        ("yes", InvalidArgumentError),
        (None, ArgumentTypeError),
        (1.0, ArgumentTypeError),
        ([], ArgumentTypeError),
    ],
    ids=repr,
)
def test_other_values_are_mistakes(flow: Any, verbose: Any, error: Any, crops: Path) -> None:
    with pytest.raises(error, match="`verbose` must be True, False, 0, 1, 2 or"):
        flow(crops, verbose=verbose)


def test_flow_and_fit_take_it_too(capfd: pytest.CaptureFixture[str]) -> None:
    images = np.zeros((4, 8, 8, 3))
    generator = ImageDataGenerator(executor="serial", featurewise_center=True)
    generator.fit(images, verbose=0)
    generator.fit(generator.flow(images, verbose=False), verbose=False)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ArgumentTypeError, match="`verbose`"):
        generator.flow(images, verbose=None)  # type: ignore[call-overload]
    with pytest.raises(InvalidArgumentError, match="`verbose`"):
        generator.fit(images, verbose=7)


@pytest.mark.parametrize("level", [0, "warning", "ERROR", logging.CRITICAL])
def test_the_line_can_be_switched_off_everywhere(
    level: Any, crops: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    imageloom.set_verbosity(level)
    directory(crops)
    dataframe(crops, verbose=1)
    assert capfd.readouterr() == ("", "")
    imageloom.set_verbosity(1)
    directory(crops)
    assert capfd.readouterr() == (FOUND, "")


def test_the_level_of_the_logger_is_the_verbosity(
    crops: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logger.setLevel("ERROR")
    directory(crops)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("imageloom") is logger


@pytest.mark.parametrize(("level", "lines"), [("info", 2), (2, 2), ("DEBUG", 3), (10, 3), ("error", 0)])
def test_records_go_to_standard_error(
    level: Any, lines: int, capfd: pytest.CaptureFixture[str]
) -> None:
    imageloom.set_verbosity("debug")
    imageloom.set_verbosity(level)  # the last one counts
    logger.info("one")
    logger.warning("two %d", 2)
    logger.debug("three")
    printed = capfd.readouterr()
    assert printed.out == ""
    assert (
        printed.err.splitlines() == ["imageloom: one", "imageloom: two 2", "imageloom: three"][:lines]
    )


def test_records_are_not_written_twice(capfd: pytest.CaptureFixture[str]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    logging.root.addHandler(handler)
    try:
        imageloom.set_verbosity("info")
        logger.info("one")
    finally:
        logging.root.removeHandler(handler)
    assert capfd.readouterr().err == "one\n"


def test_without_anybodys_doing_no_record_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    logger.error("one")
    imageloom.set_verbosity(0)
    logger.critical("two")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("level", [None, 1.0, [], object()], ids=lambda level: type(level).__name__)
def test_levels_of_another_type(level: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="`level` must be 0"):
        imageloom.set_verbosity(level)


@pytest.mark.parametrize("level", ["verbose", "", 3, -1, 51, 1000], ids=repr)
def test_levels_that_do_not_exist(level: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="`level` must be 0"):
        imageloom.set_verbosity(level)


def test_switched_off_lines_are_logged(crops: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "imageloom")
    directory(crops, verbose=0)
    (record,) = (record for record in caplog.records if "Found" in record.getMessage())
    assert (record.levelname, record.getMessage()) == ("DEBUG", FOUND.strip())


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_keras_own_switch_is_obeyed(
    package: str,
    crops: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What `keras.config.disable_interactive_logging()` does is asked by this function."""

    class Utils:
        @staticmethod
        def is_interactive_logging_enabled() -> bool:
            return False

    class Package:
        utils = Utils

    monkeypatch.setitem(sys.modules, package, Package)  # type: ignore[arg-type]
    caplog.set_level(logging.INFO, "imageloom")
    directory(crops)
    assert capfd.readouterr() == ("", "")
    assert [record.getMessage() for record in caplog.records][:1] == [FOUND.strip()]


@pytest.mark.frameworks("keras", "jax")
def test_real_keras_has_that_switch(crops: Path, capfd: pytest.CaptureFixture[str]) -> None:
    keras = pytest.importorskip("keras")
    keras.config.disable_interactive_logging()
    try:
        directory(crops)
        assert capfd.readouterr().out == ""
    finally:
        keras.config.enable_interactive_logging()
    directory(crops)
    assert capfd.readouterr().out == FOUND


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_bars_obey_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _Terminal())
    assert not progress_bar(3, "fit", "images").disable
    assert progress_bar(3, "fit", "images", shown=False).disable
    imageloom.set_verbosity("warning")
    assert progress_bar(3, "fit", "images").disable


@pytest.mark.slow
def test_a_program_can_see_what_workers_do(crops: Path) -> None:
    done = run_program("api/tells_all.py", crops, cwd=crops, timeout=100)
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert all(line.startswith("imageloom: ") for line in told)
    assert any(line.startswith("imageloom: Started worker process ") for line in told)
    assert any(line.endswith("has ended with signal SIGKILL.") for line in told)
    assert sum(line.startswith("imageloom: Epoch ") for line in told) == 2
    assert "imageloom: 1 worker of processes" in done.stderr
    assert done.stdout == FOUND
