"""How many workers `cores` means on this machine."""

from __future__ import annotations

import os

__all__ = ["available_cpus", "worker_count"]


def available_cpus() -> int:
    """CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
