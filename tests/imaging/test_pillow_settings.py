"""The settings of Pillow that workers take over, when they are asked for again and again."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from imageloom._imaging.pillow_settings import program_settings


def added() -> list[tuple[str, str]]:
    settings = program_settings()
    assert settings is not None
    return [(table, key) for table, key, _ in settings.added]


def own_save(*given: Any) -> None:
    raise NotImplementedError


@pytest.mark.parametrize("table", ["OPEN", "SAVE", "DECODERS", "ENCODERS"])
def test_what_a_program_registers_later_is_found_each_time(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.init()
    assert added() == added() == []
    with monkeypatch.context() as context:
        value = (own_save, None) if table == "OPEN" else own_save
        context.setitem(getattr(Image, table), "OWN", value)
        assert added() == added() == [(table, "OWN")]
        context.setitem(getattr(Image, table), "OWN2", value)
        assert added() == [(table, "OWN"), (table, "OWN2")]
    assert added() == []


def test_what_a_program_puts_in_the_place_of_pillows_own_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Image.init()
    assert added() == []
    monkeypatch.setitem(Image.SAVE, "PNG", own_save)
    assert added() == [("SAVE", "PNG")]
