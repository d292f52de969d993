"""How many CPUs a container lets its processes use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imageloom import _machine


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Makes control groups of given limits, 8 CPUs to run on; how many of them may be used."""
    monkeypatch.setattr(_machine, "_CONTROL_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(_machine, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    def make(own: str, limits: dict[str, str]) -> int:
        (tmp_path / "own").write_text(own)
        for path, content in limits.items():
            file = tmp_path / "cgroup" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return _machine.available_cpus()

    return make


@pytest.mark.parametrize(
    ("own", "limits", "right"),
    [
        ("0::/\n", {}, 8),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "300000 100000\n"}, 3),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "9900000 100000\n"}, 8),
        ("0::/a/b\n", {"cpu.max": "max 1", "a/cpu.max": "200000 100000", "a/b/cpu.max": "5 1"}, 2),
        ("0::/a/b\n", {"a/cpu.max": "700000 100000", "a/b/cpu.max": "max 100000"}, 7),
        ("0::/a/b\n", {"a/b/cpu.max": "40 10", "a/c/cpu.max": "10 10"}, 4),
        ("0::/of/the/host\n", {"cpu.max": "300000 100000"}, 3),
        ("0::/\n", {"cpu.max": "nonsense"}, 8),
        ("0::/\n", {"cpu.max": "1 0"}, 8),
        ("0::/\n", {"../cpu.max": "1 1"}, 8),
        ("1:name=systemd:/x\n0::/\n", {"cpu.max": "2 1"}, 2),
    ],
)
def test_quota_of_version_2(
    container: Callable[..., int], own: str, limits: dict[str, str], right: int
) -> None:
    assert container(own, limits) == right


@pytest.mark.parametrize(
    ("own", "quota", "group", "right"),
    [
        ("3:cpu,cpuacct:/\n", "-1", "cpu,cpuacct", 8),
        ("3:cpu,cpuacct:/\n", "300000", "cpu,cpuacct", 3),
        ("3:cpu,cpuacct:/\n", "300000", "cpu", 3),
        ("3:cpu:/\n", "50000", "cpu", 1),
        ("3:cpu:/\n", "150000", "cpu", 2),
        ("3:cpu:/a/b\n", "200000", "cpu/a", 2),
        ("3:cpu:/of/the/host\n", "200000", "cpu", 2),
        ("3:cpuset:/\n", "200000", "cpu", 8),
    ],
)
def test_quota_of_version_1(
    container: Callable[..., int], own: str, quota: str, group: str, right: int
) -> None:
    limits = {f"{group}/cpu.cfs_quota_us": quota, f"{group}/cpu.cfs_period_us": "100000"}
    limits["cpu/a/b/other"] = limits["memory/cpu.cfs_quota_us"] = "1"
    assert container(own, limits) == right


def test_without_control_groups_all_cpus_count(container: Callable[..., int], tmp_path: Path) -> None:
    assert container("", {}) == 8
    (tmp_path / "own").unlink()
    assert _machine.available_cpus() == 8


@pytest.mark.parametrize(
    ("cores", "right"), [(-1, 4), (1, 1), (3, 3), (9, 4), (0.25, 1), (0.5, 2), (1.0, 4), (0.01, 1)]
)
def test_workers_are_counted_within_the_quota(
    container: Callable[..., int], cores: float, right: int
) -> None:
    container("0::/\n", {"cpu.max": "350000 100000"})
    assert _machine.worker_count(cores) == right
