"""A Ray cluster for tests: a pytest plugin. Two processors on this machine, and no network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

needs_ray = pytest.mark.frameworks("ray")

# Before Ray is imported: neither statistics for its makers nor tokens in the home folder.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


@pytest.fixture(scope="module")
def ray_on_two_cpus() -> Iterator[Any]:
    """Ray, connected to a cluster that ends with the module."""
    import ray

    # "local": another program of this machine may have a cluster, which is none of ours.
    ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=200 * 2**20)
    yield ray
    ray.shutdown()
