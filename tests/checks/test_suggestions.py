"""The nearest right word, of some that are allowed."""

from __future__ import annotations

import pytest

from imageloom._checks.suggestions import as_words, nearest, nearest_value
from imageloom._options import FILL_MODES

ARGUMENTS = ("rotation_range", "zoom_range", "target_size", "batch_size", "seed")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("rotaion_range", "rotation_range"),
        ("rotationRange", "rotation_range"),
        ("Zoom-Range", "zoom_range"),
        ("zoom", "zoom_range"),
        ("sede", "seed"),
        ("colour", None),
        ("", None),
    ],
)
def test_the_nearest_name(word: str, meant: str | None) -> None:
    assert nearest(word, ARGUMENTS) == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [("edge", "nearest"), ("zeros", "constant"), ("Reflect", "reflect"), ("wrp", "wrap"), ("?", None)],
)
def test_the_value_that_another_library_has_a_word_for(word: str, meant: str | None) -> None:
    assert nearest_value(word, FILL_MODES) == meant


def test_names_in_a_sentence() -> None:
    assert as_words(["a"]) == "a"
    assert as_words(["a", "b", "c"], "or") == "a, b or c"
