"""A warning that comes with a batch names the line that reads it, wherever it was computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recorded_warnings import dark, marked_line, places, recorded

from imageloom import ImageDataGenerator

EXECUTORS = ("serial", "threads", "processes")


def first_by_next(it: Any) -> None:
    next(it)  # warns


def first_by_number(it: Any) -> None:
    it[0]  # warns


def first_by_loop(it: Any) -> None:
    for _ in it:  # warns
        break


def first_by_standard_library(it: Any) -> None:
    list(map(len, (it[i] for i in range(2))))  # warns


READERS = (
    first_by_next,
    first_by_number,
    first_by_loop,
    first_by_standard_library,
)


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
def test_bad_images_name_the_reader_of_the_batch(data_set: Path, executor: str) -> None:
    for read in READERS:
        generator = ImageDataGenerator(executor=executor, cores=1, on_bad_image="replace")
        it = generator.flow_from_directory(
            data_set, (8, 8), classes=["cats", "cups"], batch_size=2, shuffle=False
        )
        with recorded() as caught, it:
            read(it)
        assert places(caught, "1.png") == {(__file__, marked_line(read))}, read.__name__


@pytest.mark.parametrize("executor", EXECUTORS)
def test_images_of_the_wrong_scale_name_the_reader_of_the_batch(executor: str) -> None:
    generator = ImageDataGenerator(executor=executor, cores=1, brightness_range=(0.5, 1))
    with generator.flow(dark()) as it, recorded() as caught:
        first_by_next(it)
    assert places(caught, "0..255 scale") == {(__file__, marked_line(first_by_next))}
