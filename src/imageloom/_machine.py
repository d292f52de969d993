"""What this machine, or this container, has: CPUs and memory."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["available_cpus", "free_memory", "worker_count"]

_CONTROL_GROUPS: Final = Path("/sys/fs/cgroup")
_OWN_GROUPS: Final = Path("/proc/self/cgroup")


def available_cpus() -> int:
    """CPUs this process may use: those it may run on, or as many as its container's quota pays for."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return cpus if math.isinf(quota) else max(1, min(cpus, math.ceil(quota)))


def worker_count(cores: float) -> int:
    """Workers for a `cores` argument.

    -1 is all CPUs, an int a number between 1 and all of them, a float a share of them (rounded, at
    least one).
    """
    cpus = available_cpus()
    if cores == -1:
        return cpus
    share = not hasattr(cores, "__index__")
    return min(max(round(cpus * cores) if share else int(cores), 1), cpus)


def _quota() -> float:
    """CPUs' worth of time that the control groups of this process allow; infinite without a limit."""
    try:
        lines = _OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return math.inf
    quota = math.inf
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2: one tree
            quota = min(quota, _tightest(_CONTROL_GROUPS, path, _quota_2))
        elif "cpu" in controllers.split(","):  # version 1: a tree for each controller
            quota = min(quota, _tightest(_CONTROL_GROUPS / controllers, path, _quota_1))
            quota = min(quota, _tightest(_CONTROL_GROUPS / "cpu", path, _quota_1))
    return quota


def _tightest(root: Path, path: str, read: Callable[[Path], float]) -> float:
    """The lowest limit on the way from a group up; in a container the path may be the host's."""
    group = root / path.lstrip("/")
    groups = [group, *group.parents] if group.is_dir() else [root]
    return min(read(g) for g in groups if g.is_relative_to(root))


def _quota_2(group: Path) -> float:
    try:
        allowed, period = (group / "cpu.max").read_text(encoding="ascii").split()
        return math.inf if allowed == "max" else int(allowed) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _quota_1(group: Path) -> float:
    try:
        allowed = int((group / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period = int((group / "cpu.cfs_period_us").read_text(encoding="ascii"))
        return math.inf if allowed < 0 else allowed / period
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def free_memory() -> int:
    """Bytes that may still be used, by the machine's account and the container's."""
    import psutil

    free: int = psutil.virtual_memory().available
    try:
        limit = int((_CONTROL_GROUPS / "memory.max").read_text())
        return min(free, limit - int((_CONTROL_GROUPS / "memory.current").read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return free
