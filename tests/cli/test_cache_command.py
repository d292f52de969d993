"""`imageloom cache`: what is kept in the user's cache directory."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
from inspect import signature
from pathlib import Path

import pytest
from click.testing import CliRunner
from index_support import age, place_of, write

from imageloom import ImageDataGenerator
from imageloom._cli import main
from imageloom._sources.index import EARLIER_NAME
from imageloom._storage.atomic import DRAFT_PREFIX


def run(*arguments: object, status: int = 0) -> str:
    separate = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
    result = CliRunner(**separate).invoke(main, ["cache", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result.stdout


@pytest.fixture
def folders(tmp_path: Path, index_cache: Path) -> list[Path]:
    """Two data folders with an index each, and one that is gone."""
    made = [age(write(tmp_path / name, "a/1.png")) for name in ("one", "two", "gone")]
    for number, folder in enumerate(made):
        ImageDataGenerator(executor="serial").flow_from_directory(folder)
        os.utime(place_of(folder), (1e9 + 86_400 * number,) * 2)
    shutil.rmtree(made[2])
    return made


@pytest.mark.parametrize("command", ["list", "prune"])
def test_help_is_worth_reading(command: str) -> None:
    assert "Examples:" in run(command, "--help")
    assert command in run("--help")


def test_what_is_kept(folders: list[Path], index_cache: Path) -> None:
    lines = run("list").splitlines()
    assert lines[0].startswith("3 listings of data folders, ")
    assert lines[0].endswith(str(index_cache / "index"))
    assert lines[1].split()[2:] == ["2001-09-11", str(folders[2]), "(gone)"]
    assert lines[3].split()[2:] == ["2001-09-09", str(folders[0])]
    found = json.loads(run("list", "--json"))
    assert found["directory"] == str(index_cache / "index")
    assert [entry["folder"] for entry in found["indexes"]] == [str(f) for f in reversed(folders)]
    assert [entry["exists"] for entry in found["indexes"]] == [False, True, True]
    assert all(entry["bytes"] == Path(entry["file"]).stat().st_size for entry in found["indexes"])


def test_nothing_is_kept(index_cache: Path) -> None:
    assert run("list").startswith("0 listings")
    assert json.loads(run("list", "--json"))["indexes"] == []
    assert run("prune") == "There is nothing to remove.\n"
    assert not index_cache.exists()


def test_those_of_folders_that_are_gone_are_removed(folders: list[Path], index_cache: Path) -> None:
    place_of(folders[1]).write_bytes(b"damaged")
    (index_cache / "index" / "of-somebody-else").touch()
    words = [f"the listing of {folders[2]}", "the listing of no folder: damaged, or of another version"]
    said = run("prune", "--dry-run").splitlines()
    assert sorted(said) == sorted(f"Would remove {what}" for what in words)
    assert len(os.listdir(index_cache / "index")) == 4
    assert sorted(run("prune").splitlines()) == sorted(f"Removed {what}" for what in words)
    assert sorted(os.listdir(index_cache / "index")) == sorted(
        [place_of(folders[0]).name, "of-somebody-else"]
    )
    removed = json.loads(run("prune", "--all", "--json"))
    assert removed == {"removed": [str(place_of(folders[0]))], "dry_run": False}
    assert os.listdir(index_cache / "index") == ["of-somebody-else"]


def test_the_file_of_an_earlier_version_is_removed_on_request(folders: list[Path]) -> None:
    earlier = folders[0] / EARLIER_NAME
    earlier.touch()
    for words in (["prune"], ["prune", "--all"], ["prune", "--data-folder", folders[0], "--dry-run"]):
        run(*words)
        assert earlier.exists()
    assert run("prune", "--data-folder", folders[0]) == f"Removed {earlier}\n"
    assert os.listdir(folders[0]) == ["a"]
    assert run("prune", "--data-folder", folders[0]) == "There is nothing to remove.\n"


def test_a_wrong_command_line_has_status_2(folders: list[Path]) -> None:
    run("prune", "--all", "--data-folder", folders[0], status=2)
    run("prune", "--data-folder", folders[2], status=2)
    run("prune", "--images", folders[0], "--data-folder", folders[0], status=2)


def test_without_a_home(index_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imageloom._sources.index.cache_folder", lambda name: None)
    assert "no cache directory" in run("list")
    assert json.loads(run("list", "--json")) == {"directory": None, "indexes": [], "caches": []}
    assert run("prune") == "There is nothing to remove.\n"


# Decoded images


@pytest.fixture
def caches(crops: Path, tmp_path: Path, index_cache: Path) -> Path:
    """A directory with the decoded images of two data sets, one of which is gone."""
    for name in ("gone", "there"):
        shutil.copytree(crops, tmp_path / name)
        flow = ImageDataGenerator(executor="serial", cache=tmp_path / "kept").flow_from_directory(
            tmp_path / name, (8, 8)
        )
        next(flow)
        flow.close()
    shutil.rmtree(tmp_path / "gone")
    (tmp_path / "kept" / "0123456789abcdef01234567.npy").write_bytes(b"of somebody else")
    draft = tmp_path / "kept" / f"{DRAFT_PREFIX}1.npy"
    draft.touch()
    os.utime(draft, (1e9, 1e9))
    return tmp_path / "kept"


def test_decoded_images_are_listed(caches: Path, tmp_path: Path) -> None:
    lines = run("list").splitlines()
    start = lines.index(
        next(line for line in lines if line.startswith("decoded images of 2 data sets"))
    )
    assert lines[start].endswith(str(caches))
    names = [str(tmp_path / "there"), str(tmp_path / "gone")]
    assert sorted(line.split()[3] for line in lines[start + 1 :]) == sorted(names)
    only = run("list", "--images", caches).splitlines()
    assert only == lines[start:]
    (found,) = json.loads(run("list", "--json"))["caches"]
    assert found["directory"] == str(caches)
    assert {one["folder"]: one["exists"] for one in found["data_sets"]} == dict(
        zip(names, (True, False), strict=True)
    )
    for one in found["data_sets"]:
        assert one["bytes"] == sum(Path(file).stat().st_size for file in one["files"])


def test_decoded_images_of_folders_that_are_gone_are_removed(caches: Path, tmp_path: Path) -> None:
    gc.collect()
    before = sorted(os.listdir(caches))
    said = run("prune", "--dry-run", "--images", caches).splitlines()
    assert len(said) == 2
    assert sorted(os.listdir(caches)) == before
    assert len(run("prune", "--images", caches).splitlines()) == 2
    left = {path.name for path in caches.iterdir()}
    assert len(left) == 4, "those of the other folder, and somebody else's file"
    run("prune", "--all", "--images", caches)
    assert [path.name for path in caches.iterdir()] == ["0123456789abcdef01234567.npy"]
    shutil.rmtree(caches)
    assert "the note of" in run("prune")
    assert json.loads(run("list", "--json"))["caches"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be deleted there anyway")
def test_decoded_images_in_use_stay(caches: Path, tmp_path: Path) -> None:
    gc.collect()
    generator = ImageDataGenerator(executor="serial", cache=caches)
    with generator.flow_from_directory(tmp_path / "there", (8, 8)) as flow:
        next(flow)
        run("prune", "--all", "--images", caches)
        assert len(list(caches.iterdir())) == 4
