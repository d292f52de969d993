"""How much work the adaptive executor takes to be worth workers."""

from __future__ import annotations

import pytest

from imageloom._executors import adaptive


@pytest.fixture
def busy_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is set up, and has read on in the last iterator with workers."""
    monkeypatch.setattr(adaptive._Program, "reads_on", True)
    monkeypatch.setattr(adaptive._Program, "is_set_up", True)


@pytest.fixture
def worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any work is worth workers."""
    monkeypatch.setattr(adaptive, "_START_SECONDS", 0.0)
    monkeypatch.setattr(adaptive, "_PASSING_SECONDS", 0.0)
