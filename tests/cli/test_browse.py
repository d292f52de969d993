"""`imageloom browse`: what its page is told about data sets of all kinds."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browsing import Client, served
from command_line import run
from PIL import Image
from remote_support import zipped

from imageloom import ImageDataGenerator
from imageloom._api.previews import FileList, file_recipe
from imageloom._cli.browsing import pictures
from imageloom._cli.browsing.augmenting import SLIDERS
from imageloom._cli.browsing.data import BrowsedData
from imageloom._cli.findings import Findings
from imageloom._cli.inspect import remarks
from imageloom._cli.listed import Listed, TableColumns
from imageloom._preview.samples import make_preview_images


@pytest.fixture(scope="module")
def photos(class_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, one broken file, one copy in another class."""
    folder = Path(shutil.copytree(class_folder, tmp_path_factory.mktemp("browsed") / "photos"))
    (folder / "coffee" / "broken.png").write_bytes(b"no image")
    shutil.copy(folder / "coffee" / "one.png", folder / "coins" / "copy.png")
    return folder


@pytest.fixture(scope="module")
def client(photos: Path) -> Iterator[Client]:
    with served(photos) as client:
        yield client


def image_of(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
    return image


def pixels_of(text: str) -> Any:
    return np.asarray(image_of(base64.b64decode(text)))


def number_of(client: Client, name: str) -> int:
    files = client.json("files", count=200)["files"]
    (number,) = [file["number"] for file in files if file["name"] == name]
    return int(number)


# Files and classes


def test_the_page_knows_all_files_by_class(client: Client, photos: Path) -> None:
    flow = ImageDataGenerator(executor="serial").flow_from_directory(photos)
    found = client.json("set")
    assert found["images"] == flow.n
    counts = {name: (flow.classes == number).sum() for name, number in flow.class_indices.items()}
    assert {one["name"]: one["count"] for one in found["classes"]} == counts
    every = client.json("files", count=200)
    assert [file["name"] for file in every["files"]] == flow.filenames
    for number, name in enumerate(counts):
        part = client.json("files", **{"class": number})
        assert part["total"] == counts[name] == len(part["files"])
        assert {file["class"] for file in part["files"]} == {name}
    some = client.json("files", start=3, count=2)
    assert some == {"total": flow.n, "files": every["files"][3:5]}
    assert client.json("files", start=10**9)["files"] == []


def test_thumbnails_are_whole_images(client: Client, photos: Path) -> None:
    for name in ("chelsea/d.jpg", "coffee/three.bmp", "coins/10.png"):
        image = image_of(client.get("thumbnail", number=number_of(client, name)))
        with Image.open(photos / name) as original:
            assert image.width * original.height == pytest.approx(
                image.height * original.width, rel=0.05
            )


def test_large_images_become_small(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("RGB", (3000, 1000), "red").save(tmp_path / "a" / "x.png")
    Image.new("RGB", (9, 7), "red").save(tmp_path / "a" / "y.png")
    with served(tmp_path) as client:
        assert image_of(client.get("thumbnail", number=0)).size == (256, 85)
        assert image_of(client.get("thumbnail", number=1)).size == (9, 7)


def test_memory_for_thumbnails_is_bounded(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_KEPT_NBYTES", 20_000)
    thumbnails = pictures.Thumbnails(
        FileList(str(photos), [str(path.relative_to(photos)) for path in photos.rglob("*.jpg")])
    )
    first = thumbnails.of(0)
    for number in range(len(thumbnails._source)):
        thumbnails.of(number)
        kept = sum(map(len, thumbnails._kept.values()))
        assert kept == thumbnails._kept_nbytes <= 20_000
    assert 0 < len(thumbnails._kept) < len(thumbnails._source)
    assert thumbnails.of(0) == first


def test_a_broken_file_is_shown_as_such(client: Client) -> None:
    number = number_of(client, "coffee/broken.png")
    for path in ("thumbnail", "versions"):
        error = client.json(path, number=number)["error"]
        assert "not an image" in error
        assert "coffee" not in error, "the page names the file already"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")
def test_names_are_not_markup(tmp_path: Path) -> None:
    """They are JSON; the page puts them into the document as texts."""
    (tmp_path / "<b>class").mkdir()
    Image.new("RGB", (9, 7), "red").save(tmp_path / "<b>class" / "a.png")
    shutil.copy(tmp_path / "<b>class" / "a.png", tmp_path / "<b>class" / "new\nline\u202e.png")
    with served(tmp_path) as client:
        assert client.json("set")["classes"] == [{"name": "<b>class", "count": 2}]
        names = {file["name"] for file in client.json("files")["files"]}
        assert names == {"<b>class/a.png", "<b>class/new\\nline\\u202e.png"}


def test_a_folder_without_classes(photos: Path) -> None:
    with served(photos / "rocket") as client:
        assert client.json("set")["classes"] == [{"name": "rocket", "count": 4}]
        assert client.json("files", **{"class": 0})["total"] == 4
        assert image_of(client.get("thumbnail", number=3)).size
        code = client.json("versions", number=0, height=32, width=32)["code"]
    assert read(code).n == 4


def test_a_url(photos: Path, tmp_path: Path) -> None:
    url = f"zip://::{zipped(photos, tmp_path / 'photos.zip')}"
    with served(url, inspects=True) as client:
        assert client.json("set")["images"] == 21
        assert image_of(client.get("thumbnail", number=0)).size
        found = client.json("versions", number=0, rotation_range=20)
        assert pixels_of(found["versions"][0]["picture"]).shape == (256, 256, 3)
        assert repr(url).strip("'") in found["code"]


def test_a_table(photos: Path, tmp_path: Path) -> None:
    names = ["coffee/one.png", "coffee/two.png", "chelsea/a.jpg"]
    table = tmp_path / "table.tsv"
    frame = pd.DataFrame({"file": names, "animal": ["no, it is not", "no, it is not", "cat"]})
    frame.to_csv(table, sep="\t", index=False)
    columns = TableColumns(directory=str(photos), x_col="file", y_col="animal")
    with served(table, columns) as client:
        assert [one["name"] for one in client.json("set")["classes"]] == ["cat", "no, it is not"]
        shown = client.json("files", **{"class": 1})["files"]
        assert [file["name"] for file in shown] == names[:2]
        flow = read(client.json("versions", number=2, height=32, width=32)["code"])
    assert flow.filenames == names
    assert flow.class_indices == {"cat": 0, "no, it is not": 1}


def test_a_table_without_classes(photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("filename,x,y\ncoffee/one.png,1,2\ncoffee/two.png,3,4\n")
    columns = TableColumns(directory=str(photos), y_col=["x", "y"], class_mode="multi_output")
    with served(table, columns) as client:
        assert client.json("set")["classes"] == []
        assert client.json("files")["total"] == 2
        client.get("files", status=400, **{"class": 0})
        flow = read(client.json("versions", number=1, height=32, width=32)["code"])
    assert flow.filenames == ["coffee/one.png", "coffee/two.png"]


def test_several_classes_an_image(photos: Path) -> None:
    """A table with lists has them from a program; here they are made of what the listing says."""
    listed = Listed(
        str(photos),
        ["coffee/one.png", "coffee/two.png"],
        {"brown": 2, "round": 1},
        {"coffee/one.png": "brown, round", "coffee/two.png": "brown"},
    )
    data = BrowsedData(listed)
    assert data.of_class(0) == [0, 1]
    assert data.of_class(1) == [0]


# Augmentation


def read(code: str) -> Any:
    """Runs the code of the page; returns its iterator."""
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    return namespace["batches"]


@pytest.mark.filterwarnings("ignore:Keras exchanges two axes")
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rotation_range": "30", "horizontal_flip": "true", "seed": "7"},
        {"width_shift_range": "0.25", "shear_range": "20", "fill_mode": "constant", "cval": "99"},
        {
            "height_shift_range": "1",
            "zoom_range": "0.3",
            "fill_mode": "grid-wrap",
            "vertical_flip": "true",
        },
        {"brightness_low": "0.5", "brightness_high": "1.5", "channel_shift_range": "50.5"},
        {"interpolation": "bilinear", "zoom_range": "0.2", "seed": "3"},
        {"random_crop_low": "0.2", "interpolation": "bilinear"},
        {"perspective": "1", "elastic": "1", "rand_augment_ops": "2", "random_erasing": "1"},
        {
            "hue_range": "0.5",
            "saturation_low": "0.1",
            "saturation_high": "0.9",
            "blur": "1",
            "jpeg_quality_low": "10",
            "grayscale": "0.5",
        },
    ],
    ids=str,
)
def test_the_code_makes_the_pictures(client: Client, photos: Path, settings: dict[str, str]) -> None:
    """Read from the file by the generator and the flow of the code, not as the page computes them."""
    name = "coffee/one.png"
    found = client.json("versions", number=number_of(client, name), height=48, width=64, **settings)
    flow = read(found["code"])
    assert flow.target_size == (48, 64)
    generator = flow.image_data_generator
    recipe = file_recipe(
        generator._freeze().without_cache(),
        source := FileList(str(photos), [name]),
        flow.target_size,
        "rgb",
        flow.interpolation,
    )
    (expected,) = make_preview_images(
        recipe, source, [0], versions=5, seed=int(settings.get("seed", 0))
    )
    np.testing.assert_array_equal(pixels_of(found["original"]), expected.image)
    for version, one in zip(expected.versions, found["versions"], strict=True):
        shown = np.rint(np.clip(version.image, 0, 255)).astype(np.uint8)
        np.testing.assert_array_equal(pixels_of(one["picture"]), shown)
        assert one["drawn"]
    changes = any(not name.startswith(("seed", "interpolation")) for name in settings)
    assert bool(found["notice"]) != changes


def test_defaults_are_the_constructors(client: Client) -> None:
    found = client.json("set")
    fields = {slider["name"]: slider["default"] for slider in found["sliders"]}
    fields |= {choice["name"]: choice["values"][0] for choice in found["choices"]}
    code = client.json("versions", number=0, **fields)["code"]
    assert "ImageDataGenerator()\n" in code
    assert read(code).target_size == (256, 256)


def test_notes_say_what_the_library_warns_of(client: Client) -> None:
    """As that the two shifts are exchanged in Keras, and what numbers mean."""
    notes = client.json("versions", number=0, width_shift_range=0.3)["notes"]
    assert any("geometry" in note for note in notes)
    assert "shift: pixels to the right, down" in notes


@pytest.mark.parametrize("slider", SLIDERS, ids=lambda slider: slider.name)
def test_values_out_of_range_are_refused(client: Client, slider: Any) -> None:
    for value in (slider.high + 1, slider.low - 1, "nan", "inf", "1e999", "", "9" * 5000, "²", "x"):
        error = client.json("versions", number=0, **{slider.name: value})["error"]
        assert slider.label in error
        assert len(error) < 200


def test_unknown_names_of_values(client: Client) -> None:
    assert "one of" in client.json("versions", number=0, fill_mode="none")["error"]


def test_an_array_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    np.save(tmp_path / "a" / "x.npy", np.random.default_rng(0).random((32, 40, 3)))
    with served(tmp_path) as client:
        assert image_of(client.get("thumbnail", number=0)).size == (40, 32)
        assert "target_size=(32, 40)" in client.json("versions", number=0)["error"]
        fields = {"height": 32, "width": 40, "channel_shift_range": 20}
        found = client.json("versions", number=0, **fields)
    assert any(note.startswith("IL105") for note in found["notes"]), "added to values from 0 to 1"


# Findings


@pytest.mark.slow
def test_findings_are_those_of_inspect(photos: Path) -> None:
    expected = json.loads(run("inspect", photos, "--json", status=1).stdout)
    with served(photos, inspects=True) as client:
        pause = threading.Event()
        while not (found := client.json("findings"))["done"]:
            pause.wait(0.02)
        assert found["examined"] == found["images"] == expected["images"]
        assert found["error"] == ""
        assert found["counts"]["Formats"] == expected["formats"]
        by_title = {one["title"].partition(":")[0]: one for one in found["remarks"]}
        assert by_title["unreadable"]["entries"] == [
            f"{name}: {why}" for name, why in expected["unreadable"].items()
        ]
        same = by_title["groups of files with the same content in several classes"]
        assert same["entries"] == [", ".join(g) for g in expected["duplicates_between_classes"]]
        shown = client.json("files", finding=same["title"])
        assert [file["name"] for file in shown["files"]] == ["coffee/one.png", "coins/copy.png"]
        assert client.json("files", finding="what?")["total"] == 0


OF_FINDINGS = {
    "list[str]": ["odd.png"],
    "list[list[str]]": [["odd.png", "b.png"]],
    "list[dict[str, list[str]]]": [{"training": ["odd.png"], "validation": ["b.png"]}],
    "dict[str, str]": {"odd.png": "why"},
}
COUNTS = {"images", "readable", "classes", "sizes", "formats", "modes", "other_files"}


@pytest.mark.parametrize(
    "field", sorted({f.name for f in fields(Findings)} - COUNTS - {"folder", "mistakes"})
)
def test_every_kind_of_finding_is_on_the_page(field: str) -> None:
    (kind,) = [f.type for f in fields(Findings) if f.name == field]
    found = Findings(folder="x", **{field: OF_FINDINGS[str(kind)]})
    ((title, entries),) = remarks(found)
    assert title
    assert "odd.png" in str(entries)


def test_without_inspection_no_file_is_read(client: Client) -> None:
    found = client.json("findings")
    assert found["done"]
    assert not found["wanted"]
    assert found["examined"] == 0
