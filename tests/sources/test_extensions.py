"""`extensions=`: files with other suffixes than Keras' are listed, and others are left out."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFile

from imageloom import ArgumentTypeError, ImageDataGenerator, InvalidArgumentError
from imageloom._imaging.extensions import readable_extensions

NAMES = ("0.jpg", "1.webp", "2.WEBP", "3.jfif", "4.npy", "5.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        place = tmp_path / "a" / name
        place.parent.mkdir(exist_ok=True)
        if name.endswith("npy"):
            np.save(place, np.full((8, 8, 3), number, np.uint8))
        elif name.endswith("txt"):
            place.write_text("no image")
        else:
            kind = "WEBP" if name.lower().endswith("webp") else "JPEG"
            Image.new("RGB", (8, 8), (9 * number, 0, 0)).save(place, kind)
    return tmp_path


def told_of_suffixes(extensions: Any) -> AbstractContextManager[Any]:
    if extensions is not None:
        return nullcontext()
    return pytest.warns(UserWarning, match="left out because of their suffix.*pass `extensions`")


def listed(folder: Path | str, extensions: Any, **others: Any) -> list[str]:
    generator = ImageDataGenerator(executor="serial")
    with told_of_suffixes(extensions):
        it = generator.flow_from_directory(
            folder, (8, 8), class_mode=None, extensions=extensions, shuffle=False, verbose=0, **others
        )
    assert next(it).shape == (len(it.filenames), 8, 8, 3)
    return [name.replace("\\", "/").rpartition("/")[2] for name in it.filenames]


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        (None, ["0.jpg"]),
        (["webp"], ["1.webp", "2.WEBP"]),
        ({".WebP", "*.jpg"}, ["0.jpg", "1.webp", "2.WEBP"]),
        (("jfif", "npy"), ["3.jfif", "4.npy"]),
        ("all", ["0.jpg", "1.webp", "2.WEBP", "3.jfif", "4.npy"]),
    ],
    ids=["keras", "list", "set", "tuple", "all"],
)
def test_folders(folder: Path, extensions: Any, expected: list[str]) -> None:
    assert listed(folder, extensions) == expected


def test_a_spider_image_that_was_saved_into_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "EXTENSION", Image.EXTENSION.copy())
    Image.register_extension("SPIDER", "")  # as old releases of Pillow do then
    assert listed(folder, "all") == list(NAMES[:-1])


def test_archives(folder: Path) -> None:
    pytest.importorskip("fsspec")
    import zipfile

    with zipfile.ZipFile(folder / "data.zip", "w") as archive:
        for name in NAMES:
            archive.write(folder / "a" / name, f"a/{name}")
    assert listed(f"zip://::{folder / 'data.zip'}", ["webp", "npy"]) == ["1.webp", "2.WEBP", "4.npy"]
    assert listed(f"zip://::{folder / 'data.zip'}", None) == ["0.jpg"]


def test_frames(folder: Path) -> None:
    frame = pd.DataFrame({"filename": list(NAMES)})
    it = ImageDataGenerator(executor="serial").flow_from_dataframe(
        frame.iloc[:4], folder / "a", class_mode=None, extensions=["webp", "jpg", "jfif"], verbose=0
    )
    assert len(it.filenames) == 4
    with pytest.warns(UserWarning, match=r"none of jpg: 1 \.webp.*or `extensions`"):
        ImageDataGenerator().flow_from_dataframe(
            frame.iloc[:2], folder / "a", class_mode=None, extensions=["jpg"], verbose=0
        )


def test_a_function_that_lists_is_told(folder: Path) -> None:
    told = []

    def lister(**arguments: Any) -> tuple[str, list[str]]:
        told.append(arguments["white_list_formats"])
        return arguments["search_class"], ["a/1.webp"]

    assert listed(folder, ["webp"], list_valid_filenames_in_directory_function=lister) == ["1.webp"]
    assert told == [["webp"]]


@pytest.mark.parametrize(
    ("extensions", "error", "text"),
    [
        ("webp", ArgumentTypeError, r"Pass \['webp'\]"),
        (5, ArgumentTypeError, "received 5"),
        ([7], ArgumentTypeError, "received one that is 7"),
        (["."], ArgumentTypeError, "received one that is '.'"),
        ([], InvalidArgumentError, "`extensions` is empty"),
        (["jpeq"], InvalidArgumentError, "Did you mean 'jpeg'"),
        (["xyz"], InvalidArgumentError, "PIL.Image.register_extension"),
        (["eps"], InvalidArgumentError, "nobody in this program reads such files"),
    ],
    ids=str,
)
def test_what_nobody_can_read(folder: Path, extensions: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        ImageDataGenerator().flow_from_directory(folder, extensions=extensions)
    with pytest.raises(error, match=text):
        ImageDataGenerator().flow_from_dataframe(
            pd.DataFrame({"filename": ["a"], "class": ["b"]}), extensions=extensions
        )


def test_heif_needs_a_plugin(folder: Path) -> None:
    if "heic" in readable_extensions():
        pytest.skip("a plug-in for HEIF is registered")
    with pytest.raises(InvalidArgumentError, match=r"pillow_heif\.register_heif_opener"):
        ImageDataGenerator().flow_from_directory(folder, extensions=["heic"])


def test_no_index_of_other_suffixes(folder: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="`shuffle_index_dir`"):
        listed(folder, ["webp"], shuffle_index_dir=folder)


class _ScanImage(ImageFile.ImageFile):
    """A made-up format of 16 bits, as a DICOM file would be read by pydicom."""

    format = "SCAN"

    def _open(self) -> None:
        content = self.fp.read()
        side = int((len(content) - 4) ** 0.5 / 2**0.5)
        self._size, self._mode = (side, side), "I;16"
        self.tile = [ImageFile._Tile("raw", (0, 0, side, side), 4, ("I;16",))]


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_formats_of_the_program(tmp_path: Path, executor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in reads the files, in workers too, and `depth="native"` keeps their values."""
    for name in ("ID", "OPEN", "EXTENSION"):
        monkeypatch.setattr(Image, name, getattr(Image, name).copy())
    Image.register_open("SCAN", _ScanImage, lambda prefix: prefix.startswith(b"SCAN"))
    Image.register_extension("SCAN", ".scan")
    values = (np.arange(64, dtype="<u2") * 1000).reshape(8, 8)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.scan").write_bytes(b"SCAN" + values.tobytes())
    generator = ImageDataGenerator(executor=executor, cores=1, depth="native")
    with generator.flow_from_directory(
        tmp_path, (8, 8), "grayscale", class_mode=None, extensions=["scan"], verbose=0
    ) as it:
        np.testing.assert_array_equal(next(it)[0, :, :, 0], values)
