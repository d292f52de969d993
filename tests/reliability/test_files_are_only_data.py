"""Files that lie about are data: nothing in them is executed, and they lead nowhere they should not."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import SIZE, flow, take

from imageloom import BadImageError, ImageDataGenerator, ImageLoomError, load_img
from imageloom._sources.index import EARLIER_NAME, index_path

LONG_AGO = 1_600_000_000_123_456_789


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.sign),)


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    """What is there once a trap has sprung."""
    return tmp_path / "sprung"


@pytest.fixture
def pets(crops: Path, tmp_path: Path) -> Path:
    """A data set of its own, in folders that were not changed lately, and a neighbour of it."""
    folder = tmp_path / "pets"
    shutil.copytree(crops, folder)
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copy(folder / "cat" / "00.jpg", outside / "00.jpg")
    for number, name in enumerate(("astronaut", "cat", "cup")):
        os.utime(folder / name, ns=(LONG_AGO + number, LONG_AGO + number))
    return folder


@pytest.fixture
def no_pickle(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Unpickling fails in this process, and is noted."""
    seen: list[str] = []

    def refuse(*args: Any, **options: Any) -> Any:
        seen.append("unpickled")
        raise AssertionError("something is unpickled")

    for name in ("load", "loads", "Unpickler", "_load", "_loads", "_Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    return seen


def files_of(folder: Path, **options: Any) -> list[str]:
    generator = ImageDataGenerator(executor="serial")
    return list(generator.flow_from_directory(folder, seed=1, **options).filenames)


def contents(sign: Path) -> dict[str, bytes]:
    trap = pickle.dumps(Trap(sign))
    return {
        "a pickle": trap,
        "a pickle of protocol 0": pickle.dumps(Trap(sign), protocol=0),
        "a pickle after a line": b'{"format": "imageloom-index", "version": 2}\n' + trap,
        "a pickle in JSON": json.dumps(
            {"format": "imageloom-index", "version": 2, "classes": trap.decode("latin-1")}
        ).encode(),
        "rubbish": bytes(range(256)) * 40,
        "an array": b"\x93NUMPY\x01\x00" + trap,
    }


CONTENTS = tuple(contents(Path()))


def test_the_trap_works(sign: Path) -> None:
    pickle.loads(pickle.dumps(Trap(sign)))
    assert sign.is_dir()


# Index files


def index_of(pets: Path) -> Path:
    place = index_path(str(pets))
    assert place is not None
    return place


@pytest.mark.parametrize("what", CONTENTS)
def test_an_index_is_not_unpickled(pets: Path, sign: Path, no_pickle: list[str], what: str) -> None:
    right = files_of(pets)
    for place in (index_of(pets), pets / EARLIER_NAME):
        place.write_bytes(contents(sign)[what])
    assert files_of(pets) == right
    assert not sign.exists()
    assert not no_pickle


@pytest.mark.parametrize("suffix", ["json", "txt"])
@pytest.mark.parametrize("what", CONTENTS)
def test_a_shuffled_index_is_not_unpickled(
    pets: Path, tmp_path: Path, sign: Path, no_pickle: list[str], what: str, suffix: str
) -> None:
    right = files_of(pets, shuffle_index_dir=tmp_path / "order")
    assert sorted(right) == files_of(pets)
    for name in ("astronaut", "cat", "cup"):
        place = tmp_path / "order" / ".index" / f"{name}.{suffix}"
        assert place.is_file()
        place.write_bytes(contents(sign)[what])
    assert files_of(pets, shuffle_index_dir=tmp_path / "order") == right
    assert not sign.exists()
    assert not no_pickle


FOREIGN = ["../outside/00.jpg", "cat/../../outside/00.jpg", "{root}/outside/00.jpg", "cup/00.jpg"]


def rewritten_index(pets: Path, file: str) -> None:
    """The index, with a checksum that is right, with another name for the first cat."""
    line, classes, body = index_of(pets).read_bytes().split(b"\n", 2)
    entries = json.loads(classes)
    old = b"cat/00.jpg"
    assert body.count(old) == 1
    (cat,) = [entry for entry in entries if entry["name"] == "cat"]
    cat["length"] += len(file) - len(old)
    content = json.dumps(entries).encode() + b"\n" + body.replace(old, file.encode())
    header = {**json.loads(line), "checksum": zlib.crc32(content)}
    index_of(pets).write_bytes(json.dumps(header).encode() + b"\n" + content)


@pytest.mark.skipif(os.sep != "/", reason="paths as in POSIX")
@pytest.mark.parametrize("file", FOREIGN)
def test_an_index_does_not_lead_out_of_its_class(pets: Path, file: str) -> None:
    right = files_of(pets)
    rewritten_index(pets, file.format(root=pets.parent))
    assert files_of(pets) == right


@pytest.mark.skipif(os.sep != "/", reason="paths as in POSIX")
def test_an_index_is_what_is_read(pets: Path) -> None:
    """Without this, the test above would hold of an index that nobody reads."""
    files_of(pets)
    rewritten_index(pets, "cat/another name.jpg")
    assert "cat/another name.jpg" in files_of(pets)


@pytest.mark.parametrize("file", FOREIGN)
def test_a_shuffled_index_does_not_lead_out_of_its_class(pets: Path, tmp_path: Path, file: str) -> None:
    order = tmp_path / "order"
    right = files_of(pets, shuffle_index_dir=order)
    listed = order / ".index" / "cat.txt"
    lines = listed.read_text(encoding="utf-8").splitlines()
    listed.write_text("\n".join([file.format(root=tmp_path), *reversed(lines)]), encoding="utf-8")
    found = files_of(pets, shuffle_index_dir=order)
    assert sorted(found) == sorted(right)
    assert found != right, "the rest of the list counts"


# States


@pytest.mark.parametrize("what", CONTENTS)
@pytest.mark.parametrize("field", ["", "format", "version", "position", "seed", "fingerprint"])
def test_a_state_is_not_unpickled(
    crops: Path, sign: Path, no_pickle: list[str], what: str, field: str
) -> None:
    it = flow(crops)
    content = contents(sign)[what]
    state: Any = {**it.state_dict(), field: content} if field else content
    with pytest.raises((ImageLoomError, TypeError, AttributeError)):
        it.load_state_dict(state)
    assert not sign.exists()
    assert not no_pickle


def test_a_state_is_json(crops: Path, no_pickle: list[str]) -> None:
    it = flow(crops)
    take(it, 3)
    resumed = flow(crops)
    resumed.load_state_dict(json.loads(json.dumps(it.state_dict())))
    np.testing.assert_array_equal(next(resumed)[0], next(it)[0])
    assert not no_pickle


# Arrays


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
@pytest.mark.parametrize("raw", [False, True], ids=["object array", "bare pickle"])
def test_pickled_objects_in_an_array_file_are_refused(
    tmp_path: Path, sign: Path, executor: str, raw: bool
) -> None:
    folder = tmp_path / "arrays"
    (folder / "a").mkdir(parents=True)
    place = folder / "a" / "trap.npy"
    if raw:
        place.write_bytes(pickle.dumps(Trap(sign)))
    else:
        np.save(place, np.array([Trap(sign)], dtype=object), allow_pickle=True)
    generator = ImageDataGenerator(executor=executor, cores=1)
    with (
        generator.flow_from_directory(folder, target_size=SIZE) as it,
        pytest.raises(BadImageError, match="trap"),
    ):
        next(it)
    assert not sign.exists()


def test_plain_array_files_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "arrays"
    (folder / "a").mkdir(parents=True)
    pixels = np.arange(24 * 24 * 3, dtype="float32").reshape(24, 24, 3)
    np.save(folder / "a" / "plain.npy", pixels)
    generator = ImageDataGenerator(executor="serial")
    it = generator.flow_from_directory(folder, target_size=SIZE, class_mode=None)
    np.testing.assert_array_equal(next(it)[0], pixels)


# Data frames


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "processes"])
@pytest.mark.parametrize("validate", [True, False], ids=["validated", "not validated"])
@pytest.mark.parametrize(
    ("directory", "file"),
    [
        ("pets", "cat/00.jpg"),
        ("pets", "../outside/00.jpg"),
        ("pets", "cat/../../outside/00.jpg"),
        ("pets", "{root}/outside/00.jpg"),
        ("outside", "./00.jpg"),
        (None, "{root}/outside/00.jpg"),
        (None, "outside/00.jpg"),
    ],
)
def test_paths_in_a_data_frame_are_what_the_user_gave(
    pets: Path,
    monkeypatch: pytest.MonkeyPatch,
    directory: str | None,
    file: str,
    validate: bool,
    executor: str,
) -> None:
    root = pets.parent
    monkeypatch.chdir(root)
    name = file.format(root=root)
    frame = pd.DataFrame({"filename": [name]})
    generator = ImageDataGenerator(executor=executor, cores=1)
    with generator.flow_from_dataframe(
        frame, directory, class_mode=None, target_size=SIZE, validate_filenames=validate
    ) as it:
        assert list(it.filenames) == [name]
        images = next(it)
    # All of these are the same picture.
    right = np.asarray(load_img(root / "outside" / "00.jpg", target_size=SIZE), dtype="float32")
    np.testing.assert_array_equal(images, right[np.newaxis])
