"""A folder of images without sub-folders is one class, for the commands and the preview alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imageloom._sources.single_class import class_folders, list_single_class


def make(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_hidden_folders_are_no_classes(tmp_path: Path) -> None:
    folder = make(tmp_path / "photos", "a.png", ".git/config", ".ipynb_checkpoints/a.png")
    assert class_folders(folder) == []
    make(folder, "dogs/1.png", "cats/1.png")
    assert class_folders(folder) == ["cats", "dogs"]


def test_a_folder_is_the_only_class_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "photos", "b.png", "a.jpg", "notes.txt", ".imageloom-index")
    expected = (str(tmp_path), "photos", [os.path.join("photos", n) for n in ("a.jpg", "b.png")])
    assert list_single_class(folder) == expected
    assert list_single_class(f"{folder}{os.sep}") == expected
    monkeypatch.chdir(folder)
    assert list_single_class(".") == expected
    assert sorted(os.listdir(tmp_path)) == ["photos"], "no index beside it"
