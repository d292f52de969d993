"""The environment variables of worker processes, here and on the nodes of a Ray cluster."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["added_variables", "worker_environment"]

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
