"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageloom._imaging.normalise import FeatureStatistics
from imageloom._imaging.statistics_file import load_statistics, save_statistics
from imageloom._storage import atomic
from imageloom._storage.atomic import replace_file, replacing

posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and signals of POSIX")
not_as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "position.json"
    path.parent.mkdir()
    path.write_bytes(b"old")
    return path


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def assert_untouched(target: Path) -> None:
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("as_text", [False, True])
def test_the_new_content_takes_the_place_of_the_old(target: Path, durable: bool, as_text: bool) -> None:
    replace_file(str(target) if as_text else target, b"new", durable=durable)
    assert target.read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    replace_file("new", b"content", durable=True)
    assert (tmp_path / "new").read_bytes() == b"content"


def test_the_draft_is_a_hidden_neighbour_with_the_same_suffix(target: Path) -> None:
    with replacing(target) as draft:
        assert not draft.exists()
        assert draft.parent == target.parent
        assert draft.name.startswith(".")
        assert draft.suffix == target.suffix
        draft.write_bytes(b"new")
        assert target.read_bytes() == b"old"


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError])
def test_an_error_leaves_the_old_file_alone(
    target: Path, error: type[BaseException], durable: bool
) -> None:
    raised = error("by the writer")

    def write_half() -> None:
        with replacing(target, durable=durable) as draft:
            draft.write_bytes(b"half")
            raise raised

    with pytest.raises(error) as caught:
        write_half()
    assert caught.value is raised
    assert_untouched(target)


def test_no_draft_no_replacement(target: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(target):
        pass
    assert caught.value.filename == str(target)
    assert_untouched(target)


def test_errors_name_the_file_that_was_asked_for(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "file.txt"
    with pytest.raises(FileNotFoundError) as caught:
        replace_file(missing, b"")
    assert str(caught.value) == f"[Errno {errno.ENOENT}] {os.strerror(errno.ENOENT)}: {str(missing)!r}"


def test_a_folder_is_not_replaced(target: Path) -> None:
    with pytest.raises(OSError, match="folder") as caught:
        replace_file(target.parent, b"")
    assert caught.value.filename == str(target.parent)
    assert list(target.parent.parent.iterdir()) == [target.parent]
    assert_untouched(target)


@not_as_root
def test_a_folder_without_permission(target: Path) -> None:
    target.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match=r"position\.json"):
            replace_file(target, b"new")
        assert_untouched(target)
    finally:
        target.parent.chmod(0o700)


def test_a_full_disk(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, path: Any, mode: str) -> None:
            self.file = Path(path).open(mode)  # noqa: SIM115

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, content: bytes) -> None:
            self.file.write(content[:1])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic, "open", Full, raising=False)
    with pytest.raises(OSError, match=r"position\.json") as caught:
        replace_file(target, b"new")
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert_untouched(target)


@pytest.mark.parametrize("patience", [0.0, 5.0])
def test_windows_may_have_to_wait_for_a_reader(
    target: Path, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    replace, tries = os.replace, []

    def locked_at_first(source: Any, destination: Any) -> None:
        tries.append(source)
        if len(tries) < 3:
            raise PermissionError(errno.EACCES, "in use", str(source))
        replace(source, destination)

    monkeypatch.setattr(os, "replace", locked_at_first)
    monkeypatch.setattr(atomic, "_RENAMING_SECONDS", patience)
    if patience:
        replace_file(target, b"new")
        assert target.read_bytes() == b"new"
    else:
        with pytest.raises(PermissionError, match=r"in use: .*position\.json"):
            replace_file(target, b"new")
        assert_untouched(target)


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(target: Path, mask: int) -> None:
    with umask(mask):
        replace_file(target, b"new")
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask


@posix
@pytest.mark.parametrize("there", [True, False])
def test_through_a_link_the_file_behind_it_is_written(
    tmp_path: Path, target: Path, there: bool
) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(Path("folder", target.name))
    if not there:
        target.unlink()
    replace_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]


@posix
def test_a_link_can_be_replaced_itself(tmp_path: Path, target: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(target)
    replace_file(link, b"new", follow_link=False)
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"
    assert_untouched(target)


@posix
def test_a_name_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".txt")
    replace_file(path, b"content")
    assert path.read_bytes() == b"content"


@posix
def test_a_killed_process_leaves_the_old_file(target: Path) -> None:
    program = """
import os, signal, sys
from imageloom._storage.atomic import replacing
with replacing(sys.argv[1]) as draft:
    draft.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"old"


def test_readers_find_one_of_the_contents_whole(target: Path) -> None:
    contents = [bytes([letter]) * 10_000 for letter in b"abcd"]
    target.write_bytes(contents[0])
    done = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(target.read_bytes())

    def write(content: bytes) -> None:
        for _ in range(50):
            replace_file(target, content)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert seen <= set(contents)
    assert list(target.parent.iterdir()) == [target]


def test_durable_files_are_flushed_before_they_take_their_place(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    replace, fsync = os.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("flush"), fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda *paths: (events.append("rename"), replace(*paths))[1])
    replace_file(target, b"new", durable=True)
    assert events[:2] == ["flush", "rename"]
    assert os.name == "nt" or events[2:] == ["flush"], "the folder too"
    events.clear()
    replace_file(target, b"new")
    assert events == ["rename"]


def test_statistics_are_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "statistics"  # without a suffix, NumPy would add one to a name
    first = FeatureStatistics(mean=np.ones((1, 1, 3)))
    save_statistics(first, path)
    monkeypatch.setattr(np, "savez", lambda file, **_: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_statistics(FeatureStatistics(), path)
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_array_equal(load_statistics(path).mean, first.mean)
