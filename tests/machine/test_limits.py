"""The one reader of limits: control groups of both versions, nested and hybrid, and `ulimit`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import run_program

from imageloom import _machine

GB = 10**9
UNLIMITED_1 = str(2**63 - 4096)
Groups = Mapping[str, str]
Container = Callable[[str, Groups], int]


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """Makes control groups on a machine with 8 GB free, and returns what is free in them."""
    machine = SimpleNamespace(available=8 * GB)
    monkeypatch.setattr(_machine, "_CONTROL_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(_machine, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: machine)

    def make(own: str, files: Groups) -> int:
        (tmp_path / "own").write_text(own)
        for path, content in files.items():
            file = tmp_path / "cgroup" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return _machine.free_memory()

    return make


def group_1(folder: str, limit: int | str, usage: int, **stat: int) -> dict[str, str]:
    return {
        f"{folder}/memory.limit_in_bytes": f"{limit}\n",
        f"{folder}/memory.usage_in_bytes": f"{usage}\n",
        f"{folder}/memory.stat": "".join(f"{name} {value}\n" for name, value in stat.items()),
    }


def group_2(
    folder: str, maximum: int | str, usage: int, high: int | str = "max", **stat: int
) -> dict[str, str]:
    return {
        f"{folder}/memory.max": f"{maximum}\n",
        f"{folder}/memory.high": f"{high}\n",
        f"{folder}/memory.current": f"{usage}\n",
        f"{folder}/memory.stat": "".join(f"{name} {value}\n" for name, value in stat.items()),
    }


VERSION_2: dict[str, tuple[str, Groups, int]] = {
    "no groups": ("", {}, 8 * GB),
    "no limit": ("0::/\n", group_2(".", "max", GB), 8 * GB),
    "a limit": ("0::/\n", group_2(".", 4 * GB, GB), 3 * GB),
    "a limit above the machine's memory": ("0::/\n", group_2(".", 64 * GB, GB), 8 * GB),
    "inactive files": ("0::/\n", group_2(".", 4 * GB, 3 * GB, inactive_file=2 * GB), 3 * GB),
    "active files": ("0::/\n", group_2(".", 4 * GB, 3 * GB, active_file=2 * GB), GB),
    "slabs": (
        "0::/\n",
        group_2(".", 4 * GB, 3 * GB, inactive_file=GB, slab_reclaimable=GB, slab_unreclaimable=GB),
        3 * GB,
    ),
    "more reclaimable than used": ("0::/\n", group_2(".", 4 * GB, GB, inactive_file=2 * GB), 4 * GB),
    "above the limit": ("0::/\n", group_2(".", GB, 2 * GB), 0),
    "the lower of both limits": ("0::/\n", group_2(".", 4 * GB, GB, high=2 * GB), GB),
    "only the upper limit is low": ("0::/\n", group_2(".", 2 * GB, GB, high=4 * GB), GB),
    "its own group": ("0::/a/b\n", group_2("a/b", 3 * GB, GB), 2 * GB),
    "a group above": (
        "0::/a/b\n",
        {**group_2("a", 3 * GB, 2 * GB), **group_2("a/b", 6 * GB, GB)},
        GB,
    ),
    "a neighbour": ("0::/a/b\n", {**group_2("a/b", 3 * GB, GB), **group_2("a/c", GB, 0)}, 2 * GB),
    "a group below": ("0::/a\n", {**group_2("a", 3 * GB, GB), **group_2("a/b", GB, 0)}, 2 * GB),
    "the host's path": ("0::/of/the/host\n", group_2(".", 2 * GB, GB), GB),
    "a path out of the container": (
        "0::/../a\n",
        {**group_2(".", 2 * GB, GB), **group_2("../a", 1, 0)},
        GB,
    ),
    "a folder above the tree": ("0::/\n", group_2("..", 1, 0), 8 * GB),
    "nonsense": ("0::/\n", {"memory.max": "nonsense", "memory.current": "1"}, 8 * GB),
    "no usage": ("0::/\n", {"memory.max": "1"}, 8 * GB),
    "nonsense in the statistics": (
        "0::/\n",
        {**group_2(".", 4 * GB, GB), "memory.stat": "inactive_file\n"},
        3 * GB,
    ),
    "nonsense for groups": ("nonsense\n0::/\n\n", group_2(".", 2 * GB, GB), GB),
    "a colon in the path": ("0::/a:b\n", group_2("a:b", 2 * GB, GB), GB),
}
VERSION_1: dict[str, tuple[str, Groups, int]] = {
    "no limit": ("9:memory:/\n", group_1("memory", UNLIMITED_1, GB), 8 * GB),
    "a limit": ("9:memory:/\n", group_1("memory", 4 * GB, GB), 3 * GB),
    "inactive files": (
        "9:memory:/\n",
        group_1("memory", 4 * GB, 3 * GB, inactive_file=1, total_inactive_file=2 * GB),
        3 * GB,
    ),
    "its own group": ("9:memory:/a/b\n", group_1("memory/a/b", 3 * GB, GB), 2 * GB),
    "a group above": (
        "9:memory:/a/b\n",
        {**group_1("memory/a/b", UNLIMITED_1, GB), **group_1("memory/a", 3 * GB, 2 * GB)},
        GB,
    ),
    "a group that is out of sight": (
        "9:memory:/\n",
        group_1("memory", UNLIMITED_1, GB, hierarchical_memory_limit=3 * GB),
        2 * GB,
    ),
    "the host's path": ("9:memory:/docker/0123\n", group_1("memory", 2 * GB, GB), GB),
    "controllers that share a tree": ("9:cpu,memory:/\n", group_1("cpu,memory", 2 * GB, GB), GB),
    "a link to a shared tree": ("9:cpu,memory:/\n", group_1("memory", 2 * GB, GB), GB),
    "another controller": ("9:cpuset:/\n", group_1("memory", 2 * GB, GB), 8 * GB),
    "nonsense": ("9:memory:/\n", {"memory/memory.limit_in_bytes": "x"}, 8 * GB),
}
HYBRID: dict[str, tuple[str, Groups, int]] = {
    "the limit is version 1's": (
        "9:memory:/a\n1:name=systemd:/a\n0::/a\n",
        {**group_1("memory/a", 2 * GB, GB), "unified/a/cgroup.procs": ""},
        GB,
    ),
    "the limit is version 2's": (
        "9:cpu:/a\n0::/a\n",
        {"cpu/a/cpu.cfs_quota_us": "-1", **group_2("unified/a", 2 * GB, GB)},
        GB,
    ),
    "both have one": (
        "9:memory:/a\n0::/b\n",
        {**group_1("memory/a", 4 * GB, GB), **group_2("unified/b", 2 * GB, GB)},
        GB,
    ),
}


@pytest.mark.parametrize(
    ("own", "files", "free"),
    [
        pytest.param(*case, id=f"{kind}-{name}")
        for kind, cases in (("v2", VERSION_2), ("v1", VERSION_1), ("hybrid", HYBRID))
        for name, case in cases.items()
    ],
)
def test_free_memory(container: Container, own: str, files: Groups, free: int) -> None:
    assert container(own, files) == free


amounts = st.integers(0, 16 * GB)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=st.lists(st.tuples(st.none() | amounts, amounts, amounts), min_size=1, max_size=5))
@pytest.mark.parametrize("version", [1, 2])
def test_the_tightest_of_nested_groups_decides(
    container: Container, groups: list[tuple[int | None, int, int]], version: int
) -> None:
    path, expected = "", 8 * GB
    files: dict[str, str] = {}
    for depth, (limit, usage, cached) in enumerate(groups):
        path = f"{path}/{depth}"
        if version == 1:
            shown = UNLIMITED_1 if limit is None else limit
            files |= group_1(f"memory{path}", shown, usage, total_inactive_file=cached)
        else:
            shown = "max" if limit is None else limit
            files |= group_2(path.lstrip("/"), shown, usage, inactive_file=cached)
        if limit is not None:
            expected = min(expected, limit - max(0, usage - cached))
    own = f"9:memory:{path}\n" if version == 1 else f"0::{path}\n"
    assert container(own, files) == max(0, expected)


@pytest.mark.parametrize(("own", "right"), [("0::/../a\n", 3), ("9:cpu:/a\n0::/\n", 2)])
def test_quota_of_cpus_follows_the_same_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: Container, own: str, right: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    container(own, {"cpu.max": "3 1", "../a/cpu.max": "1 1", "cpu/a/cpu.cfs_quota_us": "2000"})
    (tmp_path / "cgroup/cpu/a/cpu.cfs_period_us").write_text("1000")
    assert _machine.available_cpus() == right


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces RLIMIT_AS")
def test_ulimit_counts(tmp_path: Path) -> None:
    done = run_program("machine/memory_below_a_limit.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) <= 2**26


def test_this_machine_has_memory() -> None:
    assert 0 < _machine.free_memory() <= psutil.virtual_memory().total


# Kills

KILLS: dict[str, tuple[str, Groups, int | None]] = {
    "v2": (
        "0::/a\n",
        {"a/memory.events": "low 0\noom 7\noom_kill 3\n", "memory.events": "oom_kill 9"},
        3,
    ),
    "v2, the host's path": ("0::/of/the/host\n", {"memory.events": "oom_kill 2\n"}, 2),
    "v1": (
        "9:memory:/a\n",
        {"memory/a/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"},
        4,
    ),
    "v1, controllers that share a tree": (
        "9:cpu,memory:/\n",
        {"cpu,memory/memory.oom_control": "oom_kill 5\n"},
        5,
    ),
    "hybrid": (
        "9:memory:/\n0::/\n",
        {"memory/memory.oom_control": "oom_kill 6", "unified/cgroup.procs": ""},
        6,
    ),
    "an old kernel": ("9:memory:/\n", {"memory/memory.oom_control": "under_oom 0\n"}, 8),
    "nonsense": ("0::/\n", {"memory.events": "oom_kill many"}, 8),
    "no groups": ("", {}, 8),
}


@pytest.mark.parametrize("case", KILLS)
def test_kills_for_memory_are_counted(
    case: str, container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, files, kills = KILLS[case]
    (tmp_path / "vmstat").write_text("nr_free_pages 1\noom_kill 8\n")
    monkeypatch.setattr(_machine, "_MACHINE_EVENTS", tmp_path / "vmstat")
    container(own, files)
    assert _machine.memory_kills() == kills


def test_kills_that_nobody_counts(
    container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_machine, "_MACHINE_EVENTS", tmp_path / "not there")
    container("", {})
    assert _machine.memory_kills() is None
