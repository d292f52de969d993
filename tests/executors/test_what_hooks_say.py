"""What hooks log and warn of reaches the program's loggers and filters, once, and names the file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCH, Lent, wait_for
from numpy.typing import NDArray
from ray_support import needs_ray
from recorded_warnings import marked_line, recorded

from imageloom import ImageDataGenerator
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._executors.threads import ThreadExecutor

Image = NDArray[np.float32]
KINDS = ["serial", "threads", "processes", pytest.param("ray", marks=needs_ray)]


@pytest.fixture(scope="module", params=KINDS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    made = make_executor(request.param, 1, disable_gpu=True)
    yield made
    made.close()


def first_batch(crops: Path, executor: Executor, **options: Any) -> list[str]:
    """Reads the first batch of a stream and gives its files; threads may have begun the next one."""
    generator = ImageDataGenerator(executor="serial", **options)
    generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    files = sorted(str(path.relative_to(crops)) for path in crops.glob("*/*.png"))[:BATCH]
    flow = generator.flow_from_dataframe(
        frame_of(files),
        crops,
        x_col="filename",
        class_mode=None,
        target_size=(8, 8),
        batch_size=BATCH,
        seed=1,
    )
    try:
        with flow as it:
            next(it)
            return [str(name) for name in it.filenames]
    finally:
        wait_for_threads(executor)


def frame_of(files: list[str]) -> Any:
    return pytest.importorskip("pandas").DataFrame({"filename": files})


def chatty(x: Image) -> Image:
    log = logging.getLogger("of.the.hook")
    log.debug("not for everybody")
    log.warning("dark by %d %%", 7, extra={"level_of_detail": 3})  # warns
    return x


def of_the_hook(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The records of the first batch."""
    records = [record for record in caplog.records if record.name == "of.the.hook"]
    return [record for record in records if "at position 0)" in record.getMessage()]


def test_records_arrive_once_with_the_file(
    executor: Executor, crops: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = first_batch(crops, executor, preprocessing_function=chatty)
    records = of_the_hook(caplog)
    assert len(records) == len(files) == BATCH
    for record in records:
        assert record.levelno == logging.WARNING
        assert record.getMessage().startswith("dark by 7 % [imageloom: file '")
        assert record.args == (7,)
        assert (record.pathname, record.lineno) == (__file__, marked_line(chatty))
        assert record.funcName == "chatty"
        assert vars(record)["level_of_detail"] == 3
    assert all(any(repr(name) in record.getMessage() for record in records) for name in files)


def test_levels_are_those_of_the_program(
    executor: Executor, crops: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "of.the.hook"):
        first_batch(crops, executor, preprocessing_function=chatty)
    levels = [record.levelno for record in of_the_hook(caplog)]
    assert levels == [logging.DEBUG, logging.WARNING] * BATCH
    caplog.clear()
    with caplog.at_level(logging.ERROR, "of"):
        first_batch(crops, executor, preprocessing_function=chatty)
    assert of_the_hook(caplog) == []
    logging.disable(logging.WARNING)
    try:
        first_batch(crops, executor, preprocessing_function=chatty)
    finally:
        logging.disable(logging.NOTSET)
    assert of_the_hook(caplog) == []


class Unpicklable:
    def __reduce__(self) -> Any:
        raise TypeError("no")

    def __str__(self) -> str:
        return "an odd one"


def test_record_with_an_exception_and_an_odd_argument(
    executor: Executor, crops: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Reports:
        """Travels by value."""

        def __call__(self, x: Image) -> Image:
            try:
                raise KeyError("within")
            except KeyError:
                logging.getLogger("of.the.hook").exception("failed at %s", Unpicklable())
            return x

    first_batch(crops, executor, noaug_preprocessing_function=Reports())
    text = logging.Formatter().format(of_the_hook(caplog)[0])
    assert text.startswith("failed at an odd one [imageloom: file ")
    assert "KeyError: 'within'" in text
    assert "test_what_hooks_say.py" in text


def uneasy(x: Image) -> Image:
    warnings.warn("an odd image", stacklevel=1)  # warns
    return x


def test_warning_is_shown_once_with_line_and_file(executor: Executor, crops: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()  # Python's default: once for each location
        first_batch(crops, executor, preprocessing_function=uneasy)
    (warning,) = caught
    assert warning.category is UserWarning
    assert (warning.filename, warning.lineno) == (__file__, marked_line(uneasy))
    assert str(warning.message).startswith("an odd image")
    assert "[imageloom: file '" in str(warning.message)


def test_filter_decides_how_often(executor: Executor, crops: Path) -> None:
    with recorded() as caught:
        first_batch(crops, executor, preprocessing_function=uneasy)
    assert len([w for w in caught if "at position 0)" in str(w.message)]) == BATCH
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        first_batch(crops, executor, preprocessing_function=uneasy)
    assert caught == []


def test_filter_of_a_module_sees_the_module_of_the_hook(executor: Executor, crops: Path) -> None:
    with recorded() as caught:
        warnings.filterwarnings("ignore", message="an odd image$", module=__name__.replace(".", r"\."))
        first_batch(crops, executor, preprocessing_function=uneasy)
    assert caught == []


def test_warning_that_is_an_error(executor: Executor, crops: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="an odd image") as info:
            first_batch(crops, executor, preprocessing_function=uneasy)
    assert str(info.value) == "an odd image"
    assert any("file '" in note for note in info.value.__notes__)


def test_warning_that_the_hook_itself_catches(executor: Executor, crops: Path) -> None:
    def careful(x: Image) -> Image:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            uneasy(x)
        assert len(caught) == 1
        return x

    with recorded() as shown:
        first_batch(crops, executor, preprocessing_function=careful)
    assert shown == []


class OwnWarning(UserWarning):
    """Knows more than its text."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"number {self.number}"


def test_class_of_a_warning_is_kept(executor: Executor, crops: Path) -> None:
    def hook(x: Image) -> Image:
        warnings.warn(OwnWarning(5), stacklevel=1)
        return x

    with pytest.warns(OwnWarning, match="number 5") as caught:
        first_batch(crops, executor, preprocessing_function=hook)
    assert [w.message.number for w in caught if isinstance(w.message, OwnWarning)][:BATCH] == [
        5
    ] * BATCH


def test_what_was_said_before_an_error(
    executor: Executor, crops: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(x: Image) -> Image:
        chatty(x)
        raise ArithmeticError("then")

    with pytest.raises(ArithmeticError, match="then"):
        first_batch(crops, executor, preprocessing_function=fails)
    assert len(of_the_hook(caplog)) == 1


@pytest.mark.slow
def test_flood_is_cut_and_counted(crops: Path, caplog: pytest.LogCaptureFixture) -> None:
    def floods(x: Image) -> Image:
        for number in range(1000):
            logging.getLogger("of.the.hook").warning("line %d%s", number, "!" * 20_000 * (number == 1))
        return x

    executor = make_executor("processes", 1, disable_gpu=True)
    first_batch(crops, executor, preprocessing_function=floods)
    executor.close()
    records = of_the_hook(caplog)
    assert len(records) == 200
    assert len(records[1].getMessage()) < 11_000
    (note,) = [record for record in caplog.records if record.name == "imageloom"]
    assert note.getMessage().startswith(f"{BATCH * 1000 - 200} further log records")


class Method(ImageDataGenerator):
    """Says something in an overridden method."""

    def standardize(self, x: Any) -> Any:
        return chatty(np.asarray(super().standardize(x)))


def whole_batch(index: int, filenames: list[str], classes: Any, params: Any) -> Any:
    chatty(np.zeros(1, np.float32))
    return index, np.zeros((len(filenames), 2), np.float32)


def generators() -> list[Callable[[], ImageDataGenerator]]:
    return [
        lambda: Method(executor="serial"),
        lambda: ImageDataGenerator(executor="serial", get_batch_function=whole_batch),
        lambda: ImageDataGenerator(executor="serial", noaug_preprocessing_function=chatty),
    ]


@pytest.mark.parametrize("make", generators(), ids=["method", "batch function", "before transforms"])
def test_other_functions_of_the_user(
    executor: Executor,
    crops: Path,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[], ImageDataGenerator],
) -> None:
    generator = make()
    generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    with generator.flow_from_directory(crops, (8, 8), batch_size=BATCH, shuffle=False) as it:
        it[0]
        name = it.filenames[0]
    wait_for_threads(executor)
    assert any(repr(name) in r.getMessage() or name in r.getMessage() for r in of_the_hook(caplog))


def test_nothing_stays_behind(executor: Executor, crops: Path) -> None:
    before = logging.getLogRecordFactory(), warnings.showwarning, logging.Logger.callHandlers
    first_batch(crops, executor, preprocessing_function=uneasy_in_silence)
    after = logging.getLogRecordFactory(), warnings.showwarning, logging.Logger.callHandlers
    assert after == before


def uneasy_in_silence(x: Image) -> Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return uneasy(x)


def wait_for_threads(executor: Executor) -> None:
    """Until those of a pool have finished the batch that they were at."""
    if isinstance(executor, ThreadExecutor):
        wait_for(lambda: not executor._pool.running, "the threads")


@pytest.mark.slow
def test_worker_that_lingers_hears_as_the_next_iterator_wants(
    crops: Path, caplog: pytest.LogCaptureFixture
) -> None:
    executor = make_executor("processes", 1, disable_gpu=True)
    with caplog.at_level(logging.DEBUG):
        first_batch(crops, executor, preprocessing_function=chatty)
    caplog.clear()
    first_batch(crops, executor, preprocessing_function=chatty)
    executor.close()
    assert {record.levelno for record in of_the_hook(caplog)} == {logging.WARNING}
