"""What generators and iterators say of themselves, in a line and in a notebook."""

from __future__ import annotations

import base64
import functools
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from pictures import CLASSES, FILE_COUNT
from PIL import Image

import imageloom._preview.originals
from imageloom import (
    BadImageError,
    DirectoryIterator,
    ImageDataGenerator,
    Noise,
    ParallelImageDataGenerator,
    preview,
)
from imageloom._machine import available_cpus
from imageloom._preview.html import Thumbnail, html_form
from imageloom._sources import base

NAMES = {
    "ImageDataGenerator": ImageDataGenerator,
    "ParallelImageDataGenerator": ParallelImageDataGenerator,
    "Noise": Noise,
}


def half(x: Any) -> Any:
    return x / 2


# Generators


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rotation_range": 20, "rescale": 1 / 255, "cores": 2},
        {"zoom_range": 0.25, "width_shift_range": [-3, 3], "height_shift_range": 0.1},
        {"zoom_range": (0.5, 2.0), "brightness_range": (0.5, 1.5), "fill_mode": "wrap"},
        {"noise": ["gauss", Noise("s&p", amount=0.25)], "executor": "serial", "cache": "a folder"},
        {"preprocessing_function": half, "noaug_preprocessing_function": half, "batch_timeout": 2.5},
        {"horizontal_flip": True, "samplewise_center": True, "debug": True},
    ],
    ids="-".join,
)  # fmt: skip
@pytest.mark.parametrize("kind", [ImageDataGenerator, ParallelImageDataGenerator])
def test_a_generator_is_its_call(kind: type[ImageDataGenerator], options: dict[str, Any]) -> None:
    generator = kind(**options)
    again = eval(repr(generator), {**NAMES, "half": half})
    before, after = (
        {name: value for name, value in vars(g).items() if not name.startswith("_")}
        for g in (generator, again)
    )
    assert after == before
    call = repr(generator).partition("#")[0]
    assert set(re.findall(r"(\w+)=", call)) - {"amount"} == set(options), "what differs, and no more"
    assert max(map(len, repr(generator).splitlines())) < 110


def test_what_is_long_or_nameless_is_shortened() -> None:
    class Callable:
        def __call__(self, x: Any) -> Any:
            return x

    generator = ImageDataGenerator(
        preprocessing_function=lambda x: x,
        noaug_preprocessing_function=functools.partial(half),
        get_batch_function=Callable(),
        width_shift_range=list(range(1, 400)),
        save_prefix="x" * 500,
        zca_epsilon=0.123456789,
    )
    text = repr(generator)
    assert "preprocessing_function=<lambda>,\n" in text
    assert "partial(half, ...)" in text
    assert "get_batch_function=Callable(...)" in text
    assert "zca_epsilon=0.123457" in text
    assert "width_shift_range=[1, 2, 3, 4, 5, 6, ...]" in text
    assert len(text) < 500


def test_what_a_generator_leads_to() -> None:
    def comment(**options: Any) -> str:
        return repr(ImageDataGenerator(**options)).partition("  # ")[2]

    assert comment(cores=1) == "1 worker process"
    assert comment(cores=1, executor="threads") == "1 worker thread"
    if available_cpus() > 1:
        assert comment(cores=2) == "2 worker processes"
    assert "debugging" in comment(debug=True)
    assert comment(executor="serial") == "computed when asked for"
    assert comment(featurewise_center=True, cores=1) == "not fitted yet; 1 worker process"
    generator = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
    generator.fit(np.random.default_rng(1).random((3, 4, 4, 1)))
    assert "fitted: mean, std" in repr(generator)


def test_a_subclass_has_its_name_and_bad_values_are_shown() -> None:
    class Own(ImageDataGenerator):
        pass

    generator = Own()
    generator.cores = "many"  # type: ignore[assignment]
    generator.zoom_range = np.ones(3)  # type: ignore[assignment]
    assert repr(generator).startswith("Own(")
    assert "cores='many'" in repr(generator)


# Iterators


def test_an_iterator_of_a_folder(class_folder: Path) -> None:
    generator = ImageDataGenerator(cores=1, executor="serial", validation_split=0.5)
    it = generator.flow_from_directory(
        class_folder, target_size=(8, 9), batch_size=3, seed=5, subset="training"
    )
    text = repr(it)
    for part in (
        "DirectoryIterator", f"{it.n} images of 4 classes in {str(class_folder)!r}",
        "training subset", f"{len(it)} batches of (3, 8, 9, 3) float32", "shuffled, seed 5",
        "at position 0",
    ):  # fmt: skip
        assert part in text
    with it:
        for _ in range(len(it) + 2):
            next(it)
        assert f"at position {len(it) + 2} (epoch 1, batch 2)" in repr(it)
    assert repr(it).endswith("closed>")


def test_other_iterators(class_folder: Path) -> None:
    generator = ImageDataGenerator()
    array = np.zeros((5, 4, 4, 1), np.uint8)
    text = repr(generator.flow(array, shuffle=False))
    assert "5 images out of an array of uint8" in text
    assert "in their own order" in text
    assert "1 batch of (32, 4, 4, 1)" in text
    assert "balanced" in repr(generator.flow(array, [0, 1, 1, 1, 1], balance=True))
    frame = pd.DataFrame({"filename": ["coffee/one.png"], "class": ["coffee/two.png"]})
    masks = generator.flow_from_dataframe(frame, class_folder, class_mode="image")
    assert "1 image with masks in" in repr(masks)
    pairs = generator.flow_from_directory(
        class_folder,
        list_valid_filenames_in_directory_function=lambda search_class, **_: (
            search_class,
            [("a", "b")],
        ),
    )
    assert "4 samples of 2 images of 4 classes" in repr(pairs)


# Notebooks


class Page(HTMLParser):
    """The tags, the text and the pictures of a form; every tag has to be closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.titles: list[str | None] = []
        self.pictures: list[Image.Image] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.titles += [value for name, value in attrs if name == "title"]
        if tag != "img":
            self.open.append(tag)
            return
        kind, data = (dict(attrs)["src"] or "").split(",")
        assert kind in ("data:image/png;base64", "data:image/jpeg;base64")
        self.pictures.append(Image.open(io.BytesIO(base64.b64decode(data))))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def form(it: Any) -> Page:
    page = Page(it._repr_html_())
    assert repr(it) in page.text
    assert not {"script", "style", "link"} & set(page.tags)
    assert not psutil.Process().children()
    return page


def test_the_form_of_a_folder(class_folder: Path) -> None:
    it = ImageDataGenerator().flow_from_directory(class_folder, target_size=(70, 90))
    page = form(it)
    for name in CLASSES:
        assert f"{name}\n{list(it.classes).count(it.class_indices[name])}\n" in page.text
    assert len(page.pictures) == min(8, FILE_COUNT)
    assert all(picture.size == (90, 70) for picture in page.pictures)
    assert len(it._repr_html_()) < 60_000
    assert it.total_batches_seen == 0


def test_small_images_stay_exact(class_folder: Path) -> None:
    array = np.random.default_rng(2).integers(0, 256, (3, 28, 28, 3), dtype=np.uint8)
    page = form(ImageDataGenerator().flow(array))
    assert len(page.pictures) == 3
    np.testing.assert_array_equal(np.asarray(page.pictures[0]), array[0])


def test_bad_files_and_strange_names(tmp_path: Path) -> None:
    (tmp_path / "<b>&").mkdir()
    (tmp_path / "<b>&" / "'\"<i>.png").write_bytes(b"")
    Image.new("RGB", (80, 80)).save(tmp_path / "<b>&" / "good.png")
    page = form(ImageDataGenerator().flow_from_directory(tmp_path))
    assert len(page.pictures) == 1
    assert "cannot be read" in page.text
    assert "<b>&\n2\n" in page.text
    assert sorted(map(str, page.titles)) == ["<b>&/'\"<i>.png", "<b>&/good.png"]
    assert not {"b", "i"} & set(page.tags)


def test_many_classes_are_shortened() -> None:
    counts = {f"class {i}": i for i in range(1000)}
    page = Page(html_form("many", counts, []))
    assert page.tags.count("tr") == 13
    assert "988 more" in page.text
    assert "class 999\n999" in page.text
    assert "class 0\n0" in page.text
    assert Page(html_form("none", {}, [])).tags.count("tr") == 0
    assert Page(html_form("empty", {"a": 0}, [Thumbnail("x", "", None)])).tags.count("tr") == 1


def labelled(folder: Path, mode: str | None, labels: Any) -> Any:
    frame = pd.DataFrame({"filename": ["coffee/one.png", "coffee/two.png", "coins/2.png"]})
    if labels is not None:
        frame["class"] = labels
    return ImageDataGenerator().flow_from_dataframe(frame, folder, class_mode=mode)


@pytest.mark.parametrize(
    ("mode", "labels", "text"),
    [
        ("categorical", [["cup", "big"], ["cup"], ["big"]], "big\n2\ncup\n2\n"),
        ("sparse", ["a", "b", "b"], "a\n1\nb\n2\n"),
        ("raw", [0.5, 0.7, 0.9], ""),
        ("input", None, ""),
        (None, None, ""),
    ],
)
def test_targets_of_all_kinds(class_folder: Path, mode: Any, labels: Any, text: str) -> None:
    page = form(labelled(class_folder, mode, labels))
    assert len(page.pictures) == 3
    assert text in page.text
    assert ("tr" in page.tags) == bool(text)


@pytest.mark.parametrize(
    ("y", "rows"),
    [
        (None, 0),
        ([0, 1, 1, 0, 1, 2], 3),
        (np.eye(3)[[0, 1, 1, 0, 1, 1]], 2),
        ([0.5, 1, 1, 0, 1, 2], 0),
        (np.arange(6) * 10**9, 6),
        (np.zeros((6, 2)), 0),
    ],
)
def test_targets_of_arrays(y: Any, rows: int) -> None:
    page = form(ImageDataGenerator().flow(np.zeros((6, 5, 5, 1)), y))
    assert page.tags.count("tr") == rows
    assert len(page.pictures) == 6


@pytest.mark.slow
def test_a_huge_data_set_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the files of the thumbnails are opened, and no file is looked at for a cache."""
    count, opened = 300_000, []
    frame = pd.DataFrame({"filename": "x.png", "class": np.arange(count) % 50}).astype(str)
    it = ImageDataGenerator(cache="memory").flow_from_dataframe(
        frame, tmp_path, class_mode="sparse", validate_filenames=False
    )
    read = imageloom._preview.originals.read_stored
    monkeypatch.setattr(
        imageloom._preview.originals,
        "read_stored",
        lambda root, name, options: opened.append(name) or read(root, name, options),
    )

    def refuse(*_: Any) -> None:
        raise AssertionError("nothing needs all files")

    monkeypatch.setattr(base, "files_digest", refuse)
    monkeypatch.setattr(imageloom._api.planning, "plan_cache", refuse)
    page = form(it)
    assert len(opened) == 8
    assert page.text.count("cannot be read") == 8
    assert "6,000" in page.text
    with pytest.raises(BadImageError, match="None of the images"):
        it.preview(samples=3)
    with pytest.raises(BadImageError, match="None of the images"):
        preview(it.image_data_generator, it, samples=3)
    assert len(opened) == 14


def test_generators_that_cannot_compute_still_show(class_folder: Path) -> None:
    it = ImageDataGenerator(get_batch_function=lambda *a: a).flow(np.zeros((3, 4, 4, 1)))
    assert not form(it).pictures
    it.close()
    assert form(it)


def test_an_empty_iterator(tmp_path: Path) -> None:
    it: DirectoryIterator = ImageDataGenerator().flow_from_directory(tmp_path)
    assert "0 images" in repr(it)
    assert "empty" in repr(it)
    assert not form(it).pictures
