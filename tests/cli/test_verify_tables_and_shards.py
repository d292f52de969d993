"""`imageloom verify` and `imageloom replay` for tables of encoded images and for WebDatasets."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run
from executor_support import assert_same_batches
from PIL import Image
from stand_in_tables import DataSet

from imageloom import ImageDataGenerator

COUNT = 12
SAME = f"The same: {COUNT} images, and 2 batches computed again.\n"
OPTIONS: dict[str, Any] = {"target_size": (16, 16), "batch_size": 4, "seed": 1, "verbose": 0}
NAMES = ["cat", "dog"]
# As the package `datasets` writes it.
FEATURES = {"image": {"_type": "Image"}, "label": {"names": NAMES, "_type": "ClassLabel"}}


def encoded(number: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.RandomState(number).randint(0, 256, (20, 24, 3)).astype("uint8")
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def records(changed: int | None = None) -> list[dict[str, Any]]:
    return [
        {
            "image": {"bytes": encoded(99 if number == changed else number), "path": None},
            "label": number % 2,
            "weight": 1.0,
        }
        for number in range(COUNT)
    ]


def generator() -> ImageDataGenerator:
    return ImageDataGenerator(executor="serial", rotation_range=20, horizontal_flip=True)


def write_receipt(it: Any, folder: Path) -> Path:
    path = folder / "receipt.json"
    with it:
        path.write_text(json.dumps(it.receipt(2)))
    return path


# Tables


def arrow_table(rows: list[dict[str, Any]]) -> Any:
    pa = pytest.importorskip("pyarrow")
    about = json.dumps({"info": {"features": FEATURES}})
    return pa.Table.from_pylist(rows).replace_schema_metadata({"huggingface": about})


def save_to_disk(rows: list[dict[str, Any]], folder: Path) -> Path:
    """Writes a folder as `save_to_disk` of Hugging Face does."""
    pa = pytest.importorskip("pyarrow")
    folder.mkdir(exist_ok=True)
    table, names = arrow_table(rows), []
    for number, part in enumerate((table.slice(0, 5), table.slice(5))):
        names.append(f"data-{number:05}-of-00002.arrow")
        path = str(folder / names[-1])
        with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, part.schema) as writer:
            writer.write_table(part, max_chunksize=3)
    about = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "1"}
    (folder / "state.json").write_text(json.dumps(about))
    (folder / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
    return folder


class Saved(DataSet):
    """A data set that `load_from_disk` has read."""

    def __init__(self, folder: Path, rows: list[dict[str, Any]], indices: Any = None) -> None:
        super().__init__(rows)
        self.features = {"label": type("ClassLabel", (), {"names": NAMES})()}
        self.cache_files = [{"filename": str(path)} for path in sorted(folder.glob("*.arrow"))]
        self._indices = indices


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_to_disk(records(), tmp_path / "saved")


def parquet_file(rows: list[dict[str, Any]], path: Path) -> Path:
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow_table(rows), path, row_group_size=4)
    return path


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_arrow_files_are_read_where_they_lie(executor: str, saved: Path, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    whole, feather = arrow_table(records()), str(tmp_path / "all.feather")
    with pa.OSFile(feather, "wb") as file, pa.ipc.new_file(file, whole.schema) as writer:
        writer.write_table(whole)
    found = []
    paths = sorted(saved.glob("*.arrow"))
    for table in (Saved(saved, records()), saved, paths, feather):
        augmenting = ImageDataGenerator(executor=executor, cores=1, rotation_range=20)
        with augmenting.flow_from_table(table, **OPTIONS) as it:
            assert it.class_indices == {"cat": 0, "dog": 1}
            found.append([next(it) for _ in range(4)])
    for batches in found[1:]:
        assert_same_batches(batches, found[0])


@pytest.mark.parametrize("kind", ["data set", "folder", "files", "parquet", "relative"])
def test_tables_in_files_are_verified(
    kind: str, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = parquet_file(records(), tmp_path / "train.parquet")
    monkeypatch.chdir(tmp_path)
    table = {
        "data set": Saved(saved, records()),
        "folder": str(saved),
        "files": sorted(saved.glob("*.arrow")),
        "parquet": [parquet],
        "relative": "train.parquet",
    }[kind]
    receipt = write_receipt(generator().flow_from_table(table, **OPTIONS), tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("verify", receipt).stdout == SAME
    moved = shutil.copytree(saved, tmp_path / "moved")
    shutil.copy(parquet, moved)
    assert run("verify", receipt, moved).stdout == SAME
    for other in (saved, parquet, f"file://{parquet}"):
        assert run("verify", receipt, "--table", other).stdout == SAME
    shown = run("replay", receipt, "--step", 4, "--data", moved, "-o", tmp_path / "sheet.png").stdout
    assert shown.splitlines()[1].startswith("row ")

    save_to_disk(records(changed=7), moved)
    parquet_file(records(changed=7), moved / "train.parquet")
    lines = run("verify", receipt, moved, status=1).stdout.splitlines()
    assert lines[0] == "the image 'row 7': its content has changed"


@pytest.mark.parametrize("kind", ["records", "arrow", "shuffled", "renamed"])
def test_tables_in_memory_are_named_on_the_command_line(kind: str, saved: Path, tmp_path: Path) -> None:
    renamed = Saved(saved, [{"picture": row["image"], **row} for row in records()])
    renamed.column_names = ("picture", "label", "weight")
    table = {
        "records": records(),
        "arrow": arrow_table(records()),
        "shuffled": Saved(saved, records(), indices=[0]),
        "renamed": renamed,
    }[kind]
    column = "picture" if kind == "renamed" else "image"
    receipt = write_receipt(generator().flow_from_table(table, column, **OPTIONS), tmp_path)
    for command in (("verify", receipt), ("replay", receipt, "--step", 0)):
        error = run(*command, status=1).stderr
        assert "its table was in the memory of the program: name a Parquet or Arrow file" in error
        assert "with --table. Or in Python, make the iterator" in error
    if kind == "records":
        assert "class_indices" in run("verify", receipt, "--table", saved, status=1).stdout
    elif kind == "arrow":
        assert run("verify", receipt, "--table", saved).stdout == SAME


def test_a_part_of_a_saved_data_set_is_not_mistaken_for_all_of_it(saved: Path, tmp_path: Path) -> None:
    part = Saved(saved, records()[:4])
    receipt = write_receipt(generator().flow_from_table(part, **OPTIONS), tmp_path)
    error = run("verify", receipt, status=1).stderr
    assert "of a data set of 4 rows, and its files have 12" in error
    again = save_to_disk(records()[:4], tmp_path / "part")
    assert "The same: 4 images" in run("verify", receipt, "--table", again).stdout


def test_masks_of_tables_are_compared(tmp_path: Path) -> None:
    def rows(changed: int | None = None) -> list[dict[str, Any]]:
        masks = [encoded(200 if n == changed else 100 + n) for n in range(COUNT)]
        return [{**row, "mask": mask} for row, mask in zip(records(), masks, strict=True)]

    path = parquet_file(rows(), tmp_path / "train.parquet")
    it = generator().flow_from_table(path, y_col="mask", class_mode="image", **OPTIONS)
    receipt = write_receipt(it, tmp_path)
    assert run("verify", receipt).stdout == SAME
    parquet_file(rows(changed=3), path)
    assert "the image \"row 3 of 'mask'\": its content" in run("verify", receipt, status=1).stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is no data set that `save_to_disk` has written"),
        ("[]", "is no data set that `save_to_disk` has written"),
        ('{"_data_files": []}', "in another order than its files, or without any"),
        ('{"_data_files": [{"filename": "/etc/passwd"}]}', "There is no file"),
        ('{"_data_files": [{"filename": "bad.arrow"}]}', "cannot be read as an Arrow file"),
        (
            '{"_data_files": [{"filename": "bad.arrow"}], "_indices_data_files": [1]}',
            "in another order than its files, or without any",
        ),
    ],
)
def test_folders_without_a_data_set(
    content: str | None, words: str, saved: Path, tmp_path: Path
) -> None:
    receipt = write_receipt(generator().flow_from_table(saved, **OPTIONS), tmp_path)
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "bad.arrow").write_bytes(b"no table" * 9)
    if content is not None:
        (folder / "state.json").write_text(content)
    assert words in run("verify", receipt, "--table", folder, status=1).stderr


def test_arrow_files_have_no_urls(saved: Path, tmp_path: Path) -> None:
    receipt = write_receipt(generator().flow_from_table(saved, **OPTIONS), tmp_path)
    error = run("verify", receipt, f"file://{saved}", status=1).stderr
    assert "it must lie on this machine: copy it" in error


# WebDatasets


def write_shards(folder: Path, changed: int | None = None) -> Path:
    for shard in range(4):
        path = folder / "ab"[shard % 2] / f"t-{shard:03}.tar"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as archive:
            for number in range(3 * shard, 3 * shard + 3):
                files = {
                    "png": encoded(number),
                    "cls": f"{number % 2}".encode(),
                    "mask.png": encoded(99 if number == changed else 100 + number),
                }
                for suffix, content in files.items():
                    info = tarfile.TarInfo(f"{number:03}.{suffix}")
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
    return folder


@pytest.mark.parametrize("kind", ["braces", "wildcard", "urls"])
def test_shards_are_verified_wherever_they_lie(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    folder = write_shards(tmp_path / "shards")
    urls = {
        "braces": f"{folder}/{{a,b}}/t-00[0-3].tar",
        "wildcard": f"{folder}/*/t-*.tar",
        "urls": [f"file://{path}" for path in sorted(folder.glob("*/*.tar"))],
    }[kind]
    it = generator().flow_from_webdataset(
        urls, "png", "mask.png", class_mode="image", subset="training", **OPTIONS
    )
    receipt = write_receipt(it, tmp_path)
    assert run("verify", receipt).stdout == SAME
    moved = Path(shutil.copytree(folder, tmp_path / "moved"))
    shutil.rmtree(folder)
    assert "There is no file" in run("verify", receipt, status=1).stderr or kind == "urls"
    assert run("verify", receipt, moved).stdout == SAME
    if kind == "urls":
        assert run("verify", receipt, f"file://{moved}").stdout == SAME
    out = tmp_path / "sheet.png"
    shown = run("replay", receipt, "--step", 5, "--data", moved, "-o", out).stdout.splitlines()
    assert len(shown) == 6
    assert "rotate" in shown[1]

    write_shards(moved, changed=4)
    lines = run("verify", receipt, moved, status=1).stdout.splitlines()
    assert lines[0] == "the file 'b/t-001.tar/004.mask.png': its content has changed"


def test_states_of_shards_are_good_for_copies_of_them(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    folder = write_shards(tmp_path / "shards")
    moved = shutil.copytree(folder, tmp_path / "moved")
    flows = [
        generator().flow_from_webdataset(f"{place}/*/*.tar", **OPTIONS) for place in (folder, moved)
    ]
    next(flows[0])
    flows[1].load_state_dict(flows[0].state_dict())
    assert_same_batches([next(flows[1])], [next(flows[0])])


def test_nothing_is_written_where_a_state_says(crops: Path, tmp_path: Path) -> None:
    """A state may be written by anybody."""
    it = generator().flow_from_directory(crops, **OPTIONS)
    receipt = write_receipt(it, tmp_path)
    for kind, name in (("options", "cache"), ("arguments", "save_to_dir"), ("arguments", "seed")):
        found = json.loads(receipt.read_text())
        found["state"]["origin"][kind][name] = str(tmp_path / "written")
        other = tmp_path / "other.json"
        other.write_text(json.dumps(found))
        assert f"it has '{name}', which no state has" in run("verify", other, status=1).stderr
    assert not (tmp_path / "written").exists()
