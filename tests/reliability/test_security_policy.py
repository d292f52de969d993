"""The threat model of SECURITY.md, line by line: which tests hold for each."""

from __future__ import annotations

import ast
import io
import os
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import flow_with, take, worker_processes
from PIL import Image

from imageloom import BadImageError, ImageDataGenerator, InvalidArgumentError, load_img
from imageloom._storage.places import relative

TESTS = Path(__file__).parents[1]
POLICY = TESTS.parent / "SECURITY.md"

# The beginning of each row and each point of the policy, and tests of what it says. What the library
# does not do has none.
LINES: dict[str, list[str]] = {
    "images": [
        "reliability/test_damaged_files.py::test_decompression_bombs",
        "reliability/test_damaged_files.py::test_damaged_files_are_read_or_bad_images",
        "reliability/test_files_that_are_none.py::test_they_are_bad_images",
        "reliability/test_files_that_are_none.py::test_the_limit_follows_from_that_of_pillow",
        "reliability/test_security_policy.py::test_no_program_is_started_for_a_file",
    ],
    "zip and tar archives": [
        "reliability/test_security_policy.py::test_an_archive_is_never_unpacked",
        "storage/test_archives.py::test_a_damaged_member_is_a_bad_image",
        "storage/test_links_in_archives.py::test_a_link_never_leads_out_of_its_archive",
    ],
    "keys in a bucket, links on a web page": [
        "storage/test_keys_of_object_stores.py::test_a_key_with_two_slashes_is_no_local_path",
        "storage/test_keys_of_object_stores.py::test_a_folder_that_looks_like_a_protocol",
        "reliability/test_security_policy.py::test_pages_elsewhere_are_not_below_a_page",
    ],
    "URLs in a data frame": [
        "sources/test_urls_in_frames.py::test_urls_without_a_remote_directory_are_refused",
    ],
    "the listing of a folder": [
        "reliability/test_files_are_only_data.py::test_an_index_is_not_unpickled",
        "reliability/test_files_are_only_data.py::test_an_index_does_not_lead_out_of_its_class",
        "sources/test_index_files.py::test_every_byte_is_checked",
        "sources/test_index_files.py::test_an_index_of_another_folder_counts_as_none",
    ],
    "`shuffle_index_dir`": [
        "reliability/test_files_are_only_data.py::test_a_shuffled_index_is_not_unpickled",
        "reliability/test_files_are_only_data.py::test_a_shuffled_index_does_not_lead_out_of_its_class",
    ],
    "a `cache` folder": [
        "pipeline/test_cache_files.py::test_damaged_or_foreign_files_are_made_anew",
        "pipeline/test_cache_files.py::test_a_row_that_is_not_what_its_mark_says_is_decoded_again",
    ],
    "the state of an iterator": [
        "reliability/test_files_are_only_data.py::test_a_state_is_not_unpickled",
        "stream/test_state.py::test_a_damaged_fingerprint_is_refused",
        "adapters/test_resume_callback.py::test_a_damaged_file_is_an_error_that_names_it",
    ],
    "statistics": ["reliability/test_security_policy.py::test_statistics_are_not_unpickled"],
    "file names": [
        "reliability/test_security_policy.py::test_notebooks_show_names_escaped",
        "reliability/test_names_with_control_characters.py::test_bad_images_with_such_names",
        "reliability/test_names_with_control_characters.py::test_the_command_line_prints_such_names",
    ],
    "Checksums find damage": [],
    "Memory has no other limit": [],
    "imageloom takes no care": [],
    "Your program, its hooks": [
        "reliability/test_security_policy.py::test_nobody_listens_on_the_network",
    ],
    "The Python environment": [],
    "Paths that the program gives": [
        "reliability/test_files_are_only_data.py::test_paths_in_a_data_frame_are_what_the_user_gave",
        "sources/test_links_to_folders.py::test_a_link_to_a_folder_around_it_is_passed_over",
    ],
    "fsspec, its settings": [],
    "The Ray cluster": [],
    "Models, weights": [],
}


def test_every_line_has_its_tests() -> None:
    text = POLICY.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) +\|", text, re.MULTILINE)[2:]
    points = re.findall(r"^\* (.+)$", text, re.MULTILINE)
    written = [*rows, *points]
    for line in written:
        assert sum(line.startswith(known) for known in LINES) == 1, f"who tests {line!r}?"
    assert len(written) == len(LINES)
    for place in (test for tests in LINES.values() for test in tests):
        file, name = place.split("::")
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, place


def test_no_program_is_started_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow has Ghostscript run EPS files."""
    started: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: started.append(args))
    monkeypatch.setattr(os, "system", started.append)
    Image.new("RGB", (8, 8)).save(tmp_path / "x.eps")
    os.rename(tmp_path / "x.eps", tmp_path / "x.png")
    with pytest.raises(BadImageError, match="not an image of a known format"):
        load_img(tmp_path / "x.png")
    assert not started


def test_an_archive_is_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec")
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "PNG")
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    with zipfile.ZipFile("x.zip", "w") as archive:
        for name in ("cat/1.png", "../../out.png", "cat/../../up.png", "/abs.png"):
            archive.writestr(name, content.getvalue())
    with pytest.warns(UserWarning, match=r"2 entries that are left out.*names that lead out of it"):
        it = ImageDataGenerator(executor="serial").flow_from_directory("zip://::x.zip", (8, 8))
    assert it.class_indices == {"cat": 0}
    next(it)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert found == {"a", "a/b", "a/b/x.zip"}
    (tmp_path / "a" / "secret.png").write_bytes(content.getvalue())
    with pytest.raises(BadImageError, match="does not exist"):
        load_img("zip://../secret.png::x.zip")


def test_pages_elsewhere_are_not_below_a_page() -> None:
    page = "https://host/photos/cat"
    assert relative(f"{page}/1.png", page) == "1.png"
    for link in (
        "https://host/other/1.png",
        "https://host/photos/cats/1.png",
        page,
        "file:///etc/1.png",
    ):
        assert relative(link, page) == ""


class Trap:
    def __reduce__(self) -> Any:
        return os.abort, ()


@pytest.mark.parametrize("kind", ["objects", "bare pickle"])
def test_statistics_are_not_unpickled(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "stats.npz"
    if kind == "objects":
        np.savez(path, mean=np.array([Trap()], dtype=object))
    else:
        path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InvalidArgumentError, match=r"stats\.npz"):
        ImageDataGenerator(featurewise_center=True).fit(path)


def test_notebooks_show_names_escaped(tmp_path: Path) -> None:
    if os.sep != "/":
        pytest.skip("names as in POSIX")
    name = "<img src=x onerror=alert(1)>"
    (tmp_path / name).mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / name / f"{name}.png")
    shown = ImageDataGenerator().flow_from_directory(tmp_path, (8, 8))._repr_html_()
    assert "&lt;img src=x" in shown
    assert name not in shown


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no socket pairs")
def test_nobody_listens_on_the_network(crops: Path) -> None:
    """The connection to each worker is a socket pair, which has no address."""
    with flow_with(crops, "processes") as it:
        take(it, 1)
        workers = list(worker_processes().values())
        assert workers
        for worker in workers:
            assert not worker.net_connections("inet")
            assert not [one for one in worker.net_connections("unix") if one.laddr]
