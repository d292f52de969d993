"""The CPUs and the memory that this process may use, whatever limits them.

A limit comes from the machine, from a container's control groups, or from `ulimit`. The rest of the
package asks here and reads none of them itself.

The kernel applies the limits of a process's own control group and of all groups above it. Version 1
of the control groups has a tree for each controller (`memory`, `cpu`); version 2 has a single tree;
hybrid systems have both at once. In a container `/proc/self/cgroup` may name the group by its path on
the host, which the container cannot see; the mounted root is the container's own group then.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = [
    "available_cpus",
    "free_memory",
    "memory_kills",
    "memory_may_be_refused",
    "worker_count",
]

# Beyond this, more workers rarely help one training, and each takes memory.
_MOST_BY_DEFAULT: Final = 16
_CONTROL_GROUPS: Final = Path("/sys/fs/cgroup")
_OWN_GROUPS: Final = Path("/proc/self/cgroup")
_OVERCOMMIT: Final = Path("/proc/sys/vm/overcommit_memory")
_STRICT: Final = 2  # the kernel refuses what it could not give
_MACHINE_EVENTS: Final = Path("/proc/vmstat")


def available_cpus() -> int:
    """The number of CPUs that this process may run on, or fewer if its CPU quota pays for fewer."""
    cpus = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        with suppress(OSError):  # a sandbox may forbid the question
            cpus = len(os.sched_getaffinity(0))
    quota = _tightest("cpu", _cpu_quota_1, _cpu_quota_2)
    return cpus if math.isinf(quota) else max(1, min(cpus, math.ceil(quota)))


def worker_count(cores: float | None) -> int:
    """Returns the number of workers for a `cores` argument.

    None means one per CPU, 16 at most. -1 means all CPUs. An int is a number of workers, which is
    brought between 1 and the number of CPUs. A float is a share of the CPUs; it is rounded, and
    gives at least one worker.
    """
    cpus = available_cpus()
    if cores is None:
        return min(cpus, _MOST_BY_DEFAULT)
    if cores == -1:
        return cpus
    is_share = not hasattr(cores, "__index__")
    return min(max(round(cpus * cores) if is_share else int(cores), 1), cpus)


def free_memory() -> int:
    """The number of bytes that this process may still allocate; 0 if a limit is exceeded already.

    It is 0, too, if the system cannot say so at the moment.
    """
    import psutil

    try:
        free = min(
            psutil.virtual_memory().available,
            _tightest("memory", _free_memory_1, _free_memory_2),
            _free_address_space(),
        )
    except (OSError, psutil.Error):
        return 0
    return max(0, int(free))


def memory_kills() -> int | None:
    """How many processes of this one's control group the kernel has killed because memory ran out.

    None if that cannot be read. Outside of any group, those of the whole machine are counted.
    """
    for controllers, path in _own_groups():
        if not controllers:
            places = [
                (root, "memory.events") for root in (_CONTROL_GROUPS, _CONTROL_GROUPS / "unified")
            ]
        elif "memory" in controllers.split(","):
            names = dict.fromkeys((controllers, "memory"))
            places = [(_CONTROL_GROUPS / name, "memory.oom_control") for name in names]
        else:
            continue
        for root, file in places:
            kills = _statistics(_group_and_ancestors(root, path)[0] / file).get("oom_kill")
            if kills is not None:
                return kills
    return _statistics(_MACHINE_EVENTS).get("oom_kill")


def memory_may_be_refused() -> bool:
    """Whether asking for memory may fail, rather than end processes later when it is used."""
    return not math.isinf(_address_space()) or _promises_are_strict()


@functools.cache
def _promises_are_strict() -> bool:
    return _number(_OVERCOMMIT) == _STRICT


# Control groups


def _tightest(
    controller: str, read_1: Callable[[Path], float], read_2: Callable[[Path], float]
) -> float:
    """The lowest value among the control groups of this process; infinite if none has a limit.

    Args:
        controller: the name of the controller in version 1.
        read_1: reads the limit from the folder of a group of version 1.
        read_2: reads the limit from the folder of a group of version 2.
    """
    limits = [math.inf]
    for controllers, path in _own_groups():
        if not controllers:
            # Hybrid systems mount version 2 one level deeper.
            for root in (_CONTROL_GROUPS, _CONTROL_GROUPS / "unified"):
                limits += map(read_2, _group_and_ancestors(root, path))
        elif controller in controllers.split(","):
            # Controllers that share a tree, as "cpu,cpuacct" do, are often linked by each name.
            for name in {controllers, controller}:
                limits += map(read_1, _group_and_ancestors(_CONTROL_GROUPS / name, path))
    return min(limits)


def _own_groups() -> Iterator[tuple[str, str]]:
    """The groups of this process: the controllers of a tree, "" for version 2, and the path in it."""
    try:
        lines = _OWN_GROUPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # not on Linux
        return
    for line in lines:
        _, separator, rest = line.partition(":")
        controllers, further_separator, path = rest.partition(":")
        if separator and further_separator:
            yield controllers, path


def _group_and_ancestors(root: Path, path: str) -> list[Path]:
    """The folders of a group and of all groups above it."""
    group = root / path.lstrip("/")
    # ".." leads out of what a container sees of the tree.
    if ".." in group.parts or not os.path.isdir(group):
        return [root]
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(root)]


def _cpu_quota_1(group: Path) -> float:
    quota, period = (_number(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    if quota is None or not period or quota < 0:
        return math.inf
    return quota / period


def _cpu_quota_2(group: Path) -> float:
    try:
        quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _free_memory_1(group: Path) -> float:
    statistics = _statistics(group / "memory.stat")
    # The second limit includes those of groups that a container does not see. Where there is no
    # limit, both are close to 2**63, which is more than the machine has and decides nothing.
    limits = (
        _number(group / "memory.limit_in_bytes"),
        statistics.get("hierarchical_memory_limit"),
    )
    reclaimable = statistics.get("total_inactive_file", 0)
    return _left(limits, _number(group / "memory.usage_in_bytes"), reclaimable)


def _free_memory_2(group: Path) -> float:
    statistics = _statistics(group / "memory.stat")
    # Above `memory.high` the kernel slows the processes of a group down until they give memory back.
    limits = (_number(group / "memory.max"), _number(group / "memory.high"))
    reclaimable = statistics.get("inactive_file", 0) + statistics.get("slab_reclaimable", 0)
    return _left(limits, _number(group / "memory.current"), reclaimable)


def _left(limits: tuple[int | None, int | None], usage: int | None, reclaimable: int) -> float:
    """What a group's usage leaves of its limits.

    The usage includes the page cache, so that after a pass over the files of a data set most groups
    seem full. The kernel gives up the inactive part of the cache before it refuses any memory.
    """
    known = [limit for limit in limits if limit is not None]
    if not known or usage is None:
        return math.inf
    return min(known) - max(0, usage - reclaimable)


def _number(file: Path) -> int | None:
    """The number in a file; None if there is no such file, or no number in it ("max")."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _statistics(file: Path) -> dict[str, int]:
    """The numbers in a file of names and numbers, as far as it can be read."""
    statistics: dict[str, int] = {}
    try:
        for line in file.read_text(encoding="ascii").splitlines():
            name, value = line.split()
            statistics[name] = int(value)
    except (OSError, ValueError):
        pass
    return statistics


# ulimit


def _free_address_space() -> float:
    """What `ulimit -v` leaves to this process; infinite without such a limit."""
    limit = _address_space()
    if math.isinf(limit):
        return limit
    import psutil

    return float(limit - psutil.Process().memory_info().vms)


def _address_space() -> float:
    """The bytes of `ulimit -v`; infinite without such a limit."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return math.inf
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return math.inf if limit == resource.RLIM_INFINITY else float(limit)
