"""The environment variables of worker processes, here and on the nodes of a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["added_variables", "changed_variables", "take_over_variables", "worker_environment"]

# Each worker computes one batch at a time, so threads of libraries would only compete for the CPUs.
_THREAD_LIMITS: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
# By default glibc returns the memory of every freed image to the kernel, which then has to zero the
# pages of the next one. That took 1.4 of the 3.4 ms per image; with these settings a worker keeps
# up to 64 MB.
_ALLOCATOR: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20),
}
_NO_GPU: Final = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def worker_environment(*, disable_gpu: bool) -> dict[str, str]:
    """The whole environment of a worker on this machine."""
    return {**os.environ, **added_variables(disable_gpu=disable_gpu)}


def added_variables(*, disable_gpu: bool) -> dict[str, str]:
    """The variables that a worker has in addition to, or other than, this process.

    They limit every library to one thread and, with `disable_gpu`, hide the GPUs. What the user has
    set stays as it is, except for the GPUs.
    """
    added = {**dict.fromkeys(_THREAD_LIMITS, "1"), **_ALLOCATOR}
    added = {name: value for name, value in added.items() if name not in os.environ}
    return {**added, **_NO_GPU} if disable_gpu else added


class _Known:
    """What was seen of this process' environment.

    Attributes:
        at_start: Its variables when it was started; None if it was not asked yet.
        raw: What `os.environ` had inside when it was last compared with that.
        changed: The result.
        replaced: What a worker had in the place of what it has taken over.
    """

    at_start: Mapping[str, str] | None = None
    raw: Any = None
    changed: Mapping[str, str | None] = {}
    replaced: Final[dict[str, str | None]] = {}


def changed_variables() -> Mapping[str, str | None]:
    """The variables that this program has set since it was started, and None for the deleted ones."""
    if _Known.at_start is None:
        _Known.at_start = _environment_at_start()
    raw = dict(getattr(os.environ, "_data", os.environ))  # a tenth of the time of asking for texts
    if raw != _Known.raw:
        now, before = dict(os.environ), _Known.at_start
        changed: dict[str, str | None] = {
            name: value for name, value in now.items() if before.get(name) != value
        }
        changed |= dict.fromkeys(before.keys() - now.keys())
        _Known.raw, _Known.changed = raw, changed
    return _Known.changed


def _environment_at_start() -> dict[str, str]:
    """What Linux keeps of it; elsewhere, what it is now."""
    try:
        with open("/proc/self/environ", "rb") as file:
            items = [item.partition(b"=") for item in file.read().split(b"\0")]
    except OSError:
        return dict(os.environ)
    return {os.fsdecode(name): os.fsdecode(value) for name, equals, value in items if equals}


def take_over_variables(changed: Mapping[str, str | None]) -> None:
    """Makes this worker have the variables of a program, but for those that hide the GPUs from it."""
    hidden = {name for name, value in _NO_GPU.items() if os.environ.get(name) == value}
    wanted = {name: value for name, value in changed.items() if name not in hidden}
    for name in _Known.replaced.keys() - wanted.keys():
        _assign(name, _Known.replaced.pop(name))
    for name, value in wanted.items():
        _Known.replaced.setdefault(name, os.environ.get(name))
        _assign(name, value)


def _assign(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    elif os.environ.get(name) != value:
        os.environ[name] = value
