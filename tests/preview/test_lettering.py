"""Text of any script on sheets."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import Pixels
from PIL import Image, ImageDraw

from imageloom import ImageDataGenerator, preview
from imageloom._preview.lettering import Lettering

SCRIPTS = {
    "latin": "éÜñçøßŁőğ",
    "greek": "αβγΩή",
    "cyrillic": "жщЯїў",
    "hebrew": "אבגשת",
    "arabic": "بتثجح",
    "devanagari": "कखगघ",
    "thai": "กขคง",
    "korean": "한국어고양",
    "japanese": "ねこネコ",
    "chinese": "猫狗鳥魚龍",
    "georgian": "აბგდ",
    "ethiopic": "ሀለሐመ",
    "emoji": "😀🐶🐱",
    "gothic": "𐌰𐌱𐌲",
}


def drawn(text: str, size: int = 13) -> NDArray[np.uint8]:
    """The ink of a text, without the empty columns around it."""
    image = Image.new("L", (700, 60))
    Lettering(size).draw(ImageDraw.Draw(image), (10, 10), text, "white")  # type: ignore[arg-type]
    box = image.getbbox()
    return np.asarray(image.crop(box)) if box else np.zeros((0, 0), np.uint8)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("size", [13, 24])
def test_every_letter_of_a_script_has_a_picture_of_its_own(script: str, size: int) -> None:
    missing = drawn("\U0010fffe", size).tobytes()
    pictures = [drawn(letter, size).tobytes() for letter in SCRIPTS[script]]
    assert len(set(pictures)) == len(SCRIPTS[script])
    assert missing not in pictures
    assert b"" not in pictures


def test_accents_that_stand_apart_are_put_together() -> None:
    """As in file names on macOS."""
    apart = unicodedata.normalize("NFD", "Café Übergrößen")
    assert len(apart) > len("Café Übergrößen")
    np.testing.assert_array_equal(drawn(apart), drawn("Café Übergrößen"))


def test_a_character_without_a_picture_is_shown_by_its_number() -> None:
    np.testing.assert_array_equal(drawn("a\U00020000b"), drawn("a[U+20000]b"))


@pytest.mark.parametrize(
    ("text", "shown"), [("a\nb", r"a\nb"), ("\x1b[31m", r"\x1b[31m"), ("\udcff", r"\udcff")]
)
def test_what_is_no_letter_is_escaped(text: str, shown: str) -> None:
    np.testing.assert_array_equal(drawn(text), drawn(shown))


def test_joiners_and_variants_leave_no_trace() -> None:
    np.testing.assert_array_equal(drawn("cat\u200b s\ufe0f"), drawn("cat s"))


def test_the_length_is_where_the_next_letter_begins() -> None:
    lettering = Lettering(13)
    for text in ("cat", "猫", "Café 12", "😀 dog", "\U00020000"):
        end = lettering.length(text)
        assert lettering.length(f"{text}x") == pytest.approx(end + lettering.length("x"), abs=3)
        assert drawn(text).shape[1] <= end + 1


@pytest.mark.parametrize("width", [80, 130, 200])
def test_texts_are_cut_and_broken_to_fit(width: int) -> None:
    lettering = Lettering(13)
    text = "写真 of a 猫 under a tree in Übergrößenträgerland, 2026"
    assert lettering.length(lettering.cut(text, width)) <= width
    assert lettering.cut("猫", 100) == "猫"
    words = lettering.wrapped([text], width)
    assert " ".join(words).replace("   ", " ") == text
    assert all(lettering.length(line) <= width or " " not in line for line in words)


def test_names_on_sheets(tmp_path: Path, coffee: Pixels) -> None:
    """Sheets of classes that differ by one letter differ, in each script."""
    seen = set()
    for name in ("猫", "犬", "Ä", "Ö", "ж", "ш"):
        folder = tmp_path / f"of {ord(name)}" / "data"
        (folder / name).mkdir(parents=True)
        Image.fromarray(coffee).save(folder / name / "x.png")
        seen.add(preview(ImageDataGenerator(), folder, versions=1).tobytes())
    assert len(seen) == 6
