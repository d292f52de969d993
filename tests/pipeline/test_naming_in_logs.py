"""The factory of log records, which other libraries wrap, too."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from imageloom._pipeline.naming import naming_in_logs, working_at


@pytest.fixture(autouse=True)
def factory() -> Iterator[Any]:
    """The factory as it was before; it is put back."""
    before = logging.getLogRecordFactory()
    yield before
    logging.setLogRecordFactory(before)


def said() -> str:
    record = logging.getLogRecordFactory()("name", logging.INFO, "file", 1, "text", (), None)
    return record.getMessage()


def test_a_library_that_wraps_it_meanwhile_is_called_and_calls_once() -> None:
    with naming_in_logs:
        ours = logging.getLogRecordFactory()
        logging.setLogRecordFactory(partial(ours))  # as Ray does
    theirs = logging.getLogRecordFactory()
    assert said() == "text"
    for _ in range(3):
        with naming_in_logs, working_at(lambda: "a.jpg"):
            assert said() == "text [imageloom: a.jpg]"
        assert logging.getLogRecordFactory() is theirs
        with working_at(lambda: "a.jpg"):
            assert said() == "text", "nobody needs it"


def test_it_is_put_back(factory: Any) -> None:
    with naming_in_logs, naming_in_logs, working_at(lambda: "a.jpg"):
        assert said() == "text [imageloom: a.jpg]"
    assert logging.getLogRecordFactory() is factory
