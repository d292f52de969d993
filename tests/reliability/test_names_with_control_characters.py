"""Names that would move the cursor of a terminal, or change the direction of its text."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import warnings
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from command_line import run
from PIL import Image

import imageloom
from imageloom import BadImageError, DirectoryIterator, ImageDataGenerator, ImageLoomError, load_img
from imageloom._errors import in_one_line, printable

pytestmark = pytest.mark.skipif(os.sep != "/", reason="names as in POSIX")
EVIL = "\x1b]0;owned\x07\x1b[2J\r\u202egpj.\x9b31m"
NAMES = [f"{EVIL}.png", "a\nFAKE LINE.png", "tab\tand\x7f.png"]


def is_harmless(text: str, kept: str = "\n\t") -> bool:
    return all(char.isprintable() or char in kept for char in text)


@hypothesis.given(st.text())
def test_what_is_printed_is_printable(text: str) -> None:
    assert in_one_line(text).isprintable()
    assert is_harmless(printable(text))
    assert (printable(text) == text) == is_harmless(text)
    assert in_one_line("plain äöü 写真") == "plain äöü 写真"


# Other public names may need Keras, which is not everywhere.
PUBLIC = [getattr(imageloom, name) for name in imageloom.__all__ if name.endswith("Error")]
ERRORS = [one for one in PUBLIC if isinstance(one, type) and issubclass(one, ImageLoomError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_no_error_prints_them_raw(kind: type[ImageLoomError]) -> None:
    error = kind(f"{EVIL} is bad")
    assert is_harmless(str(error))
    assert "is bad" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert error.args[0] == f"{EVIL} is bad"


def texts_of_failure(it: DirectoryIterator) -> list[str]:
    try:
        next(it)
    except BadImageError as error:
        return [str(error), *getattr(error, "__notes__", ())]
    return []


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
@pytest.mark.parametrize("name", NAMES)
def test_bad_images_with_such_names(name: str, executor: str, tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / name).write_text("no image")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "cat" / "0.png")
    for action in ("raise", "replace"):
        generator = ImageDataGenerator(executor=executor, cores=1, on_bad_image=action)
        with (
            generator.flow_from_directory(tmp_path, (8, 8), shuffle=False) as it,
            warnings.catch_warnings(record=True) as told,
        ):
            warnings.simplefilter("always")
            assert all(is_harmless(text, kept="") for text in texts_of_failure(it))
            for one in told:
                message, newline, _ = str(one.message).rpartition("\n")  # the one that is ours
                assert newline
                assert is_harmless(message, kept="")
            assert is_harmless(repr(it))
            assert all(is_harmless(repr(bad)) for bad in it.bad_images)


def test_classes_with_such_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cat", "dog", EVIL):
        (tmp_path / name).mkdir()
    with pytest.warns(UserWarning, match="class") as told:
        ImageDataGenerator().flow_from_directory(tmp_path, class_mode="binary")
    assert len(told) == 2
    for one in told:
        message, newline, where = str(one.message).rpartition("\n")  # the one that is ours
        assert newline
        assert is_harmless(message, kept="")
        assert is_harmless(where, kept="")
    assert is_harmless(capsys.readouterr().out)
    frame = pd.DataFrame({"filename": [f"{EVIL}.png"], EVIL: ["cat"]})
    with pytest.raises(KeyError) as caught:
        ImageDataGenerator().flow_from_dataframe(frame, str(tmp_path), y_col="class")
    assert is_harmless(str(caught.value))


def test_the_command_line_prints_such_names(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"cat {name}").mkdir()
        (tmp_path / f"cat {name}" / name).write_text("no image")
    shown = run("inspect", "--all", tmp_path, status=1).output
    assert "unreadable" in shown
    assert is_harmless(shown)
    assert "\nFAKE" not in shown


def test_an_archive_with_such_names(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        for name in NAMES:
            entry = tarfile.TarInfo(f"cat/{name}")
            entry.size = 4
            file.addfile(entry, io.BytesIO(b"none"))
    it = ImageDataGenerator(executor="serial").flow_from_directory(f"tar://::{tmp_path / 'x.tar'}")
    with pytest.raises(BadImageError) as caught:
        next(it)
    assert is_harmless(str(caught.value))
    for path in it.filepaths:
        with pytest.raises(BadImageError) as caught:
            load_img(path)
        assert is_harmless(str(caught.value))
