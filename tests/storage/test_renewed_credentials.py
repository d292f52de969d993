"""Credentials that run out while a program reads, and are renewed without a restart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from executor_support import BATCHES, assert_same_batches, flow, take
from remote_support import remote
from s3_support import S3, needs_s3

from imageloom import StorageError

fsspec = pytest.importorskip("fsspec")
pytestmark = needs_s3
Setting = Callable[[str], None]


def environment(patch: pytest.MonkeyPatch, folder: Path) -> Setting:
    return lambda key: patch.setenv("AWS_ACCESS_KEY_ID", key)


def settings_of_fsspec(patch: pytest.MonkeyPatch, folder: Path) -> Setting:
    options = fsspec.config.conf["s3"]
    return lambda key: patch.setitem(
        fsspec.config.conf, "s3", {**options, "key": key, "secret": "secret"}
    )


def file(patch: pytest.MonkeyPatch, folder: Path) -> Setting:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.delenv(variable)
    path = folder / "credentials"
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))

    def write(key: str) -> None:
        path.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key=secret\n")

    write("key")
    return write


WAYS = {"environment": environment, "fsspec": settings_of_fsspec, "file": file}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_renewed_credentials_are_picked_up(
    executor: str,
    way: str,
    places: dict[str, str],
    crops: Path,
    tmp_path: Path,
    s3: S3,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renew = WAYS[way](monkeypatch, tmp_path)
    expected = take(flow(crops), BATCHES)
    options: dict[str, Any] = {"max_batches_pending": 1, "on_bad_image": "replace"}
    with remote(places["s3"], executor, **options) as it:
        received = take(it, 1)
        s3.valid_key = f"renewed-{executor}-{way}"  # no other test has left connections with it
        with pytest.raises(StorageError, match="Forbidden"):
            received.extend(next(it) for _ in range(BATCHES))  # some have been fetched before
        with pytest.raises(StorageError, match="Forbidden"):
            _ = it[len(received)]
        renew(s3.valid_key)
        received += [it[position] for position in range(len(received), BATCHES)]
        assert_same_batches(received, expected)
        assert it.bad_images == []


def test_new_settings_win_over_those_of_an_earlier_failure(
    places: dict[str, str], crops: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = fsspec.config.conf["s3"]
    with monkeypatch.context() as patch:
        patch.setitem(fsspec.config.conf, "s3", {**options, "key": "another", "secret": "secret"})
        s3.valid_key = "key"
        with pytest.raises(StorageError):
            remote(places["s3"])
    with remote(places["s3"], "processes") as it:
        assert_same_batches(take(it, BATCHES), take(flow(crops), BATCHES))


def test_credentials_may_be_set_when_there_are_workers(
    places: dict[str, str], crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.delenv("AWS_ACCESS_KEY_ID")
            local = stack.enter_context(remote(str(crops), "processes"))
            expected = take(local, BATCHES)
        it = stack.enter_context(remote(places["s3"], "processes"))
        assert_same_batches(take(it, BATCHES), expected)
