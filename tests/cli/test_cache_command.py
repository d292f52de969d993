"""`imageloom cache`: what is kept in the user's cache directory."""

from __future__ import annotations

import json
import os
import shutil
from inspect import signature
from pathlib import Path

import pytest
from click.testing import CliRunner
from index_support import age, place_of, write

from imageloom import ImageDataGenerator
from imageloom._cli import main
from imageloom._sources.index import EARLIER_NAME


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


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imageloom._sources.index.cache_folder", lambda name: None)
    assert "no cache directory" in run("list")
    assert json.loads(run("list", "--json")) == {"directory": None, "indexes": []}
    assert run("prune") == "There is nothing to remove.\n"
