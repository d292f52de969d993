"""The connection to a Ray cluster, which the user's program may end at any time."""

from __future__ import annotations

import contextlib
import os
import time
from types import ModuleType
from typing import Final

from imageloom._errors import MissingDependencyError, WorkerDiedError
from imageloom._log import counted, logger

__all__ = ["RaySession", "share_of"]

_COUNT_SECONDS: Final = 2.0  # how often the CPUs of the cluster are counted


class RaySession:
    """One connection to a cluster.

    Attributes:
        ray: The module.
        identity: Node and job of this connection; None if it has ended at once.
        cpus: How many CPUs the cluster had when they were last counted; at least 1.
    """

    def __init__(self, cores: float) -> None:
        """Connects to the cluster of RAY_ADDRESS, or starts one here, unless Ray is connected already.

        Raises:
            MissingDependencyError: Ray is not installed.
        """
        self.ray = _connected(cores)
        self._cores = cores
        self.identity = self._current_identity()
        self._counted = -_COUNT_SECONDS
        self.cpus = 1

    @property
    def alive(self) -> bool:
        """Whether this connection still exists. Without one, Ray would silently start a new cluster."""
        return self.identity is not None and self._current_identity() == self.identity

    def _current_identity(self) -> tuple[str, str] | None:
        """Returns node and job of the current connection.

        Another cluster has other nodes, and another connection to the same cluster is another job.
        """
        with contextlib.suppress(Exception):  # the connection ends at this moment
            if self.ray.is_initialized():
                context = self.ray.get_runtime_context()
                return context.get_node_id(), context.get_job_id()
        return None

    def check(self) -> None:
        """Raises an error unless the connection still exists.

        Raises:
            WorkerDiedError: It does not.
        """
        if not self.alive:
            raise WorkerDiedError(
                "The connection to the Ray cluster has ended while batches were being computed, for "
                "example because ray.shutdown() was called. Create the iterator again; with "
                "`load_state_dict` it continues where this one was."
            )

    @property
    def workers(self) -> int:
        """How many tasks may run at the same time on the cluster as it is now."""
        now = time.monotonic()
        # Without a connection, Ray would wait for ever or end the process.
        if now - self._counted > _COUNT_SECONDS and self.alive:
            self._counted = now
            with contextlib.suppress(Exception):  # it has ended meanwhile; the tasks will fail
                self.cpus = _cpus(self.ray)
        return share_of(self._cores, self.cpus)


def share_of(cores: float, cpus: int) -> int:
    """Returns how many tasks run at the same time.

    Args:
        cores: An integer is this number itself, a float is a share of the CPUs; -1 is all of them.
        cpus: How many CPUs the cluster has.
    """
    if cores == -1:
        return cpus
    whole = hasattr(cores, "__index__")  # NumPy's integers have it too
    return max(1, int(cores) if whole else round(cores * cpus))


def _cpus(ray: ModuleType) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _connected(cores: float) -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(
            'executor="ray" needs Ray, which is not installed: pip install "imageloom[ray]".'
        ) from error
    module: ModuleType = ray
    if module.is_initialized():
        return module
    address = os.environ.get("RAY_ADDRESS")
    module.init(
        address=address or "local",
        include_dashboard=None if address else False,
        logging_level="WARNING",
    )
    cpus = _cpus(module)
    what = f"connected to the cluster at {address}" if address else "started a cluster on this machine"
    logger.info(
        "Ray %s, with %s; cores=%s uses %s of them.",
        what,
        counted(cpus, "CPU"),
        cores,
        share_of(cores, cpus),
    )
    return module
