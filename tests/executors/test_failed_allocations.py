"""What is left behind when memory for the workers cannot be had."""

from __future__ import annotations

import errno
import sys
from mmap import mmap
from pathlib import Path

import psutil
import pytest
from executor_support import flow_with

from imageloom import BatchMemoryError
from imageloom._executors.workers import shared_memory

MAPPINGS = Path("/proc/self/maps")


@pytest.mark.skipif(sys.platform != "linux", reason="counts mappings and descriptors")
def test_a_cache_that_gets_no_memory_leaves_no_slots(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slots had their memory already, which nobody else knows of."""

    def held() -> int:
        return psutil.Process().num_fds() + MAPPINGS.read_text().count("/memfd:imageloom")

    asked = []

    def failing(fd: int, nbytes: int) -> mmap:
        asked.append(nbytes)
        if len(asked) == 2:
            raise OSError(errno.ENOMEM, "injected")
        return mmap(fd, nbytes)

    with flow_with(crops, "processes", batch_timeout=60) as it:
        next(it)  # the workers are there from now on
        before = held()
        monkeypatch.setattr(shared_memory.mmap, "mmap", failing)
        with (
            flow_with(crops, "processes", batch_timeout=60, cache="memory") as cached,
            pytest.raises(BatchMemoryError),
        ):
            next(cached)
        assert len(asked) == 2
        assert held() == before
