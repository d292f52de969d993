"""Whatever happens to the bytes of a file of ours: our error, or the right result."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cache_support import fill, open_flow
from executor_support import BATCHES, assert_same_batches, flow, take
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_support import age, names_of, place_of, walked, write

from imageloom import ImageDataGenerator, ImageLoomError, InvalidArgumentError
from imageloom._imaging.normalise import FeatureStatistics, MeasuredImages
from imageloom._imaging.statistics_file import load_statistics, save_statistics
from imageloom._sources.shuffled_index import list_classes_shuffled

pytestmark = pytest.mark.slow
many = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
few = settings(many, max_examples=25)
NUMBERS = ["1e999", "-1e999", "NaN", "-1", "0.5", "true", "null", '"3"', "[" * 5000, "9" * 30, "{}"]

Damage = Callable[[bytes], bytes]


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """Flips a byte, cuts the file, adds to it, or leaves out or doubles a part of it."""
    kind = draw(st.sampled_from(["flip", "cut", "more", "without", "twice", "zeros"]))
    place, length = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(1, 40))
    value = draw(st.integers(1, 255))

    def damage(content: bytes) -> bytes:
        at = int(place * len(content))
        before, part, after = content[:at], content[at : at + length], content[at + length :]
        return {
            "flip": lambda: before + bytes([content[at] ^ value]) + content[at + 1 :],
            "cut": lambda: before,
            "more": lambda: content + bytes([value]) * length,
            "without": lambda: before + after,
            "twice": lambda: before + part + part + after,
            "zeros": lambda: before + bytes(len(part)) + after,
        }[kind]()

    return damage


def unless_refused(path: Path, read: Callable[[], Any]) -> Any:
    """What is read; None if it is refused with an error that names the file."""
    said: list[str] = []
    try:
        return read()
    except InvalidArgumentError as error:
        said.append(str(error))
    assert str(path) in said[0]
    return None


# Listings


@pytest.mark.usefixtures("index_cache")
@many
@given(damages())
def test_a_listing_is_right_or_made_anew(pets: Path, damage: Damage) -> None:
    expected = walked(pets, "cats", "dogs")
    names_of(pets, "cats", "dogs")
    place = place_of(pets)
    place.write_bytes(damage(place.read_bytes()))
    assert names_of(pets, "cats", "dogs") == expected
    assert names_of(pets, "cats", "dogs") == expected


@pytest.mark.usefixtures("index_cache")
@pytest.mark.parametrize("field", ["name", "count", "length", "folders", "listed_at", "time", "inode"])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_listing_with_a_right_checksum_and_wrong_values_is_made_anew(
    field: str, number: str, pets: Path
) -> None:
    expected = walked(pets, "cats", "dogs")
    names_of(pets, "cats", "dogs")
    head, content = place_of(pets).read_bytes().split(b"\n", 1)
    classes, body = content.split(b"\n", 1)
    entries = json.loads(classes)
    if field in ("time", "inode"):
        entries[0]["folders"]["cats"][field == "inode"] = "HERE"
    else:
        entries[0][field] = "HERE"
    content = json.dumps(entries).replace('"HERE"', number).encode() + b"\n" + body
    header = {**json.loads(head), "checksum": zlib.crc32(content)}
    place_of(pets).write_bytes(json.dumps(header).encode() + b"\n" + content)
    assert names_of(pets, "cats", "dogs") == expected


@pytest.mark.usefixtures("index_cache")
@pytest.mark.parametrize("folders", [{}, {"dogs": [1, 2]}, {"cats": [1, 2], "cats/../dogs": [1, 2]}])
def test_a_listing_of_folders_outside_the_class_is_made_anew(
    folders: dict[str, Any], pets: Path, listed: list[str]
) -> None:
    names_of(pets, "cats")
    head, content = place_of(pets).read_bytes().split(b"\n", 1)
    classes, body = content.split(b"\n", 1)
    entries = json.loads(classes)
    for folder in folders:
        status = (pets / folder).stat()
        folders[folder] = [status.st_mtime_ns, status.st_ino, status.st_ctime_ns]
    entries[0]["folders"] = folders
    content = json.dumps(entries).encode() + b"\n" + body
    header = {**json.loads(head), "checksum": zlib.crc32(content)}
    place_of(pets).write_bytes(json.dumps(header).encode() + b"\n" + content)
    listed.clear()
    assert names_of(pets, "cats") == walked(pets, "cats")
    assert listed == ["cats"]


@many
@given(damages(), st.sampled_from(["txt", "json"]))
def test_a_shuffled_index_lists_the_files_of_its_class(
    tmp_path: Path, damage: Damage, suffix: str
) -> None:
    root, order = tmp_path / "data", tmp_path / "order"
    if not root.exists():
        age(write(root, "a/1.png", "a/2.png", "a/x/3.png"))
    how: dict[str, Any] = {"follow_links": False, "seed": 1}
    list_classes_shuffled(str(root), ["a"], str(order), **how)
    file = order / ".index" / f"a.{suffix}"
    file.write_bytes(damage(file.read_bytes()))
    (found,) = list_classes_shuffled(str(root), ["a"], str(order), **how)
    assert sorted(found.files) == walked(root, "a")[0]


# Statistics

STATISTICS = FeatureStatistics(
    mean=np.array([[[0.5, 0.25, 0.125]]], "float32"),
    std=np.array([[[0.5, 0.25, 0.0]]], "float32"),
    zca_whitening_matrix=np.eye(12),
    images=MeasuredImages(rescale=1 / 255, target_size=(2, 2), color_mode="rgb", dtype="float32"),
)


@many
@given(damages())
def test_statistics_are_right_or_refused(tmp_path: Path, damage: Damage) -> None:
    path = tmp_path / "stats.npz"
    save_statistics(STATISTICS, path)
    path.write_bytes(damage(path.read_bytes()))
    found = unless_refused(path, lambda: load_statistics(path))
    if found is None:
        return
    for name in ("mean", "std", "zca_whitening_matrix"):
        array = getattr(found, name)
        if array is not None:  # the name of an array in the archive may be what is damaged
            np.testing.assert_array_equal(array, getattr(STATISTICS, name))
    assert found.images in (None, STATISTICS.images)


@pytest.mark.parametrize(
    "wrong",
    [{"mean": np.array([[[1.0, np.nan, 0]]])}, {"std": np.array([[[1.0, np.inf, 0]]])},
     {"std": np.array([[[1.0, -1, 0]]])}, {"mean": np.zeros(3)}, {"mean": np.zeros((1, 3, 3))},
     {"mean": np.zeros((1, 1, 4))}, {"std": np.zeros((1, 1, 1))}, {"mean": np.zeros((1, 1, 3), int)},
     {"mean": np.zeros((1, 1, 0))}, {"mean": np.zeros((1, 1, 3), complex)},
     {"zca_whitening_matrix": np.zeros((12, 11))}, {"zca_whitening_matrix": np.zeros((15, 15))},
     {"zca_whitening_matrix": np.full((12, 12), np.nan)}, {"format": np.array("another")},
     {"images": np.array("[" * 5000)}, {"images": np.array("{}")}, {"images": np.array(3)},
     *({"images": np.array(json.dumps({"rescale": "HERE", "target_size": [2, 2], "color_mode": "rgb",
                                       "dtype": "float32"}).replace('"HERE"', number))}
       for number in NUMBERS if number not in ("null", "-1", "0.5", "9" * 30)),
     {"images": np.array('{"rescale": null, "target_size": [2, NaN], "color_mode": "rgb",'
                         '"dtype": ""}')},
     {"images": np.array('{"rescale": null, "target_size": [2, 2], "color_mode": "x", "dtype": ""}')}],
)  # fmt: skip
def test_statistics_that_no_images_have_are_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "stats.npz"
    save_statistics(STATISTICS, path)
    with np.load(path) as arrays:
        content = {**arrays, **wrong}
    np.savez(path, **content)
    generator = ImageDataGenerator(featurewise_center=True, rescale=1 / 255)
    with pytest.raises(InvalidArgumentError, match=r"stats\.npz.*contains no statistics"):
        generator.fit(path)
    assert generator.mean is None


# A cache


@few
@given(damages(), st.sampled_from([".npy", ".marks", ".json"]))
def test_a_cache_gives_the_right_pixels(
    crops: Path, kept: Path, expected_batches: list[Any], damage: Damage, suffix: str
) -> None:
    fill(crops, kept)
    (file,) = kept.glob(f"*{suffix}")
    file.write_bytes(damage(file.read_bytes()))
    assert_same_batches(fill(crops, kept), expected_batches)
    assert len(list(kept.iterdir())) == 3


@pytest.fixture
def expected_batches(crops: Path) -> list[Any]:
    return take(open_flow(crops, None), BATCHES)


# States


class Resumable:
    """Has a state, without images."""

    read_in_order = True

    def __init__(self) -> None:
        self.state: Any = None
        self.total_batches_seen = 7

    def __len__(self) -> int:
        return 3

    def state_dict(self) -> dict[str, Any]:
        return {"format": "a state", "position": 7, "seed": 12345, "fingerprint": {"x": 0.1}}

    def load_state_dict(self, state: Any) -> None:
        self.state = state


def written(path: Path) -> bytes:
    from imageloom import ResumeCallback

    callback = ResumeCallback(Resumable(), path)
    callback.on_epoch_end(4)
    return path.read_bytes()


@many
@given(damages())
def test_the_file_of_a_resume_callback_is_right_or_refused(tmp_path: Path, damage: Damage) -> None:
    from imageloom import ResumeCallback

    path, it = tmp_path / "position.json", Resumable()
    path.unlink(missing_ok=True)
    path.write_bytes(damage(written(path)))
    callback = unless_refused(path, lambda: ResumeCallback(it, path))
    if callback is None:
        assert it.state is None
        return
    assert it.state == Resumable().state_dict()
    assert callback.epoch == 5


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", ["epoch", "iterator"])
def test_an_earlier_file_of_a_resume_callback_is_read_if_it_is_one(
    field: str, number: str, tmp_path: Path
) -> None:
    """Release 0.1 wrote no checksum."""
    from imageloom import ResumeCallback

    path, it = tmp_path / "position.json", Resumable()
    path.write_text(json.dumps({"epoch": 5, "iterator": it.state_dict()}))
    assert ResumeCallback(it, path).epoch == 5
    assert it.state == it.state_dict()
    content = json.dumps({"epoch": 5, "iterator": it.state_dict(), field: "HERE"})
    path.write_text(content.replace('"HERE"', number))
    if (field, number) == ("iterator", "{}"):  # the iterator refuses that
        return
    with pytest.raises(InvalidArgumentError, match=r"position\.json"):
        ResumeCallback(Resumable(), path)


@pytest.mark.parametrize("field", ["position", "seed", "shards", "shift", "version", "fingerprint"])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_state_with_wrong_values_is_refused(field: str, number: str, crops: Path) -> None:
    it = flow(crops)
    text = json.dumps({**it.state_dict(), field: "HERE"}).replace('"HERE"', number)
    try:
        state = json.loads(text)
    except RecursionError:
        return
    if (field, number) == ("shift", "-1"):
        return  # there are such
    with pytest.raises(ImageLoomError):
        it.load_state_dict(state)
    assert it.total_batches_seen == 0
