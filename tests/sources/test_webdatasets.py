"""`flow_from_webdataset`: samples in tar files, listed without unpacking them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import AUGMENTED, assert_same_batches, take
from pictures import photograph
from PIL import Image

from imageloom import (
    ArgumentTypeError,
    ImageDataGenerator,
    InvalidArgumentError,
    MissingColumnError,
    MissingFileError,
    StorageError,
)

pytest.importorskip("fsspec")
NAMES = ("cat", "dog", "eel")


def encoded(number: int, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photograph("coffee", 30 + number, 40, mode="RGB")).save(file, kind)
    return file.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards with 13 samples, and the records in a list beside them."""
    folder = tmp_path_factory.mktemp("shards")
    for shard, numbers in enumerate((range(5), range(5, 13))):
        with tarfile.open(folder / f"t-{shard:03}.tar", "w") as archive:
            for n in numbers:
                suffix, kind = (("JPG", "JPEG"), ("png", "PNG"))[n % 2]
                add(archive, f"./in.side/{n:03}.{suffix}", encoded(n, kind))
                add(archive, f"./in.side/{n:03}.cls", f"{n % 3}\n".encode())
                about = {"name": NAMES[n % 3], "number": n}
                add(archive, f"./in.side/{n:03}.json", json.dumps(about).encode())
            add(archive, "about.txt", b"no sample")
    return folder


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return [
        {"image": encoded(n, ("JPEG", "PNG")[n % 2]), "label": n % 3, "number": n} for n in range(13)
    ]


def generator(executor: str = "serial") -> ImageDataGenerator:
    return ImageDataGenerator(executor=executor, cores=2, validation_split=0.3, **AUGMENTED)


OPTIONS: dict[str, Any] = {"target_size": (16, 16), "batch_size": 4, "seed": 3, "verbose": 0}


def read(it: Any) -> list[Any]:
    with it:
        return [*take(it, 5), it[1], it[0]]


@pytest.mark.parametrize("flow", [{}, {"subset": "training"}, {"shard": (0, 2)}, {"class_mode": None}])
def test_batches_are_those_of_a_table(flow: Any, shards: Path, records: Any) -> None:
    expected = read(generator().flow_from_table(records, **OPTIONS, **flow))
    for urls in (
        f"{shards}/t-{{000..001}}.tar",
        f"{shards}/t-*.tar",
        f"file://{shards}/t-{{000,001}}.tar",
        [shards / "t-000.tar", str(shards / "t-001.tar")],
    ):
        assert_same_batches(read(generator().flow_from_webdataset(urls, **OPTIONS, **flow)), expected)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_all_executors_agree(executor: str, shards: Path, records: Any) -> None:
    it = generator(executor).flow_from_webdataset(f"{shards}/t-*.tar", **OPTIONS)
    assert_same_batches(read(it), read(generator().flow_from_table(records, **OPTIONS)))


def test_labels_out_of_json(shards: Path) -> None:
    flow = ImageDataGenerator(executor="serial").flow_from_webdataset
    it = flow(f"{shards}/t-*.tar", y_col="name", verbose=0)
    assert it.class_indices == {"cat": 0, "dog": 1, "eel": 2}
    assert it.classes.tolist() == [n % 3 for n in range(13)]
    assert it.filenames[1] == f"tar://in.side/001.png::{shards / 't-000.tar'}"
    raw = flow(f"{shards}/t-*.tar", y_col="number", class_mode="raw", shuffle=False, verbose=0)
    np.testing.assert_array_equal(next(raw)[1], np.arange(13))
    only = flow(f"{shards}/t-*.tar", x_col="png", verbose=0)
    assert len(only.filenames) == 6


def test_resuming(shards: Path) -> None:
    it = generator().flow_from_webdataset(f"{shards}/t-*.tar", **OPTIONS)
    next(it)
    state, expected = it.state_dict(), next(it)
    again = generator().flow_from_webdataset(f"{shards}/t-*.tar", **OPTIONS)
    again.load_state_dict(state)
    assert_same_batches([next(again)], [expected])


def test_only_labels_are_read(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    extract = tarfile.TarFile.extractfile

    def noting(self: tarfile.TarFile, member: Any) -> Any:
        taken.append(Path(member.name).suffix)
        return extract(self, member)

    monkeypatch.setattr(tarfile.TarFile, "extractfile", noting)
    generator().flow_from_webdataset(f"{shards}/t-*.tar", **OPTIONS)
    assert set(taken) == {".cls", ".json", ".txt"}


@pytest.mark.parametrize(
    ("name", "flow", "error", "text"),
    [
        ("t-9.tar", {}, MissingFileError, "There is no file"),
        ("t-*.tar", {"y_col": "breed"}, MissingColumnError, "003.*|no label 'breed'"),
        ("t-*.tar", {"x_col": 5}, ArgumentTypeError, "`x_col` must be suffixes"),
        ("broken.tar", {}, InvalidArgumentError, "cannot be read as a tar archive"),
        ("packed.tar.gz", {}, InvalidArgumentError, "Decompress it"),
    ],
    ids=str,
)
def test_mistakes(shards: Path, name: str, flow: Any, error: type[Exception], text: str) -> None:
    (shards / "broken.tar").write_bytes(b"no archive" * 100)
    with tarfile.open(shards / "packed.tar.gz", "w:gz") as archive:
        add(archive, "a.cls", b"1")
    try:
        with pytest.raises(error, match=text):
            ImageDataGenerator().flow_from_webdataset(shards / name, **flow)
    finally:
        (shards / "broken.tar").unlink()


def test_other_kinds_of_places() -> None:
    flow = ImageDataGenerator().flow_from_webdataset
    with pytest.raises(InvalidArgumentError, match="is a command, which is not run"):
        flow("pipe:curl -s http://localhost/a.tar")
    with pytest.raises(ArgumentTypeError, match="`urls` must be"):
        flow(5)  # type: ignore[arg-type]
    with pytest.raises((StorageError, MissingFileError), match="memory://nowhere"):
        flow("memory://nowhere/a.tar")
