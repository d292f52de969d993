"""The connection to a Ray cluster, which the program may end at any time, knowing nothing of us."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Any, Final

from imageloom._errors import MissingDependencyError, WorkerDiedError

__all__ = ["RaySession", "share_of"]

_COUNT_SECONDS: Final = 2.0  # how often the cluster's processors are counted


class RaySession:
    """One connection.

    Attributes:
        ray: the module.
        cpus: of the cluster, when they were last counted; at least 1.
    """

    def __init__(self, cores: float) -> None:
        """Connects, unless Ray is connected: to RAY_ADDRESS, or to a cluster that is started here.

        Raises:
            MissingDependencyError: Ray is not installed.
        """
        self.ray = _connected(cores)
        self._cores = cores
        self._driver = self._connection()
        self._counted = -_COUNT_SECONDS
        self.cpus = 1

    @property
    def alive(self) -> bool:
        """Whether it is still this connection. Without one, Ray would quietly start another cluster."""
        return self._driver is not None and self._connection() == self._driver

    def _connection(self) -> tuple[str, str] | None:
        """Another cluster has other nodes, and another connection to the same one is another job."""
        with contextlib.suppress(Exception):  # it ends at this moment
            if self.ray.is_initialized():
                context = self.ray.get_runtime_context()
                return context.get_node_id(), context.get_job_id()
        return None

    def check(self) -> None:
        """Raises unless the connection is still there.

        Raises:
            WorkerDiedError: it is not.
        """
        if not self.alive:
            raise WorkerDiedError(
                "The connection to the Ray cluster has ended while batches were under way: was "
                "ray.shutdown() called? Make the iterator anew; `load_state_dict` takes it to where "
                "this one was."
            )

    @property
    def workers(self) -> int:
        """How many tasks may run at the same time, of the cluster as it is now."""
        now = time.monotonic()
        # Asked without a connection, Ray waits for ever or ends the process.
        if now - self._counted > _COUNT_SECONDS and self.alive:
            self._counted = now
            with contextlib.suppress(Exception):  # it is gone, which its tasks will tell
                self.cpus = _cpus(self.ray)
        return share_of(self._cores, self.cpus)


def share_of(cores: float, cpus: int) -> int:
    """Tasks at a time: a number, or a share of the cluster's processors; -1 is all."""
    if cores == -1:
        return cpus
    return max(1, int(cores)) if hasattr(cores, "__index__") else max(1, round(cores * cpus))


def _cpus(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _connected(cores: float) -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(
            'executor="ray" needs Ray, which is not installed: pip install "imageloom[ray]".'
        ) from error
    if ray.is_initialized():
        return ray
    address = os.environ.get("RAY_ADDRESS")
    ray.init(address=address or "local", include_dashboard=None if address else False)
    cpus = _cpus(ray)
    what = f"connected to the cluster at {address}" if address else "started a cluster on this machine"
    print(
        f"imageloom: Ray {what}, with {cpus} CPUs; cores={cores} uses {share_of(cores, cpus)} of them.",
        file=sys.stderr,
    )
    return ray
