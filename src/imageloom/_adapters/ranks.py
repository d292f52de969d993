"""The rank of this process among several training processes, without importing a framework."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from imageloom._errors import InvalidArgumentError

__all__ = ["own_shard"]


def own_shard() -> tuple[int, int]:
    """Returns (index, count) of this process; (0, 1) if no framework knows of other processes.

    The values come from `torch.distributed` and JAX, if they are loaded and initialised, and from
    TensorFlow's `TF_CONFIG`.

    Raises:
        InvalidArgumentError: these differ, or `TF_CONFIG` cannot be read.
    """
    answers = {"torch.distributed": _torch(), "JAX": _jax(), "TF_CONFIG": _tf_config()}
    known = {name: answer for name, answer in answers.items() if answer is not None}
    if len(set(known.values())) > 1:
        listed = "; ".join(f"{name}: {index} of {count}" for name, (index, count) in known.items())
        raise InvalidArgumentError(
            f'`shard="auto"` found different values ({listed}): pass (index, count) instead.'
        )
    return next(iter(known.values()), (0, 1))


def _torch() -> tuple[int, int] | None:
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed.get_rank(), distributed.get_world_size()


def _jax() -> tuple[int, int] | None:
    jax = sys.modules.get("jax")
    # Checked first, because reading the index starts JAX's devices; `initialize` would then fail.
    if jax is None or not _jax_is_initialized(jax):
        return None
    return jax.process_index(), jax.process_count()


def _jax_is_initialized(jax: Any) -> bool:
    is_initialized = getattr(getattr(jax, "distributed", None), "is_initialized", None)
    if is_initialized is not None:
        return bool(is_initialized())
    # JAX 0.4.31 has no such function; each process would then assume that it is the only one.
    state = getattr(sys.modules.get("jax._src.distributed"), "global_state", None)
    return getattr(state, "client", None) is not None


def _tf_config() -> tuple[int, int] | None:
    text = os.environ.get("TF_CONFIG")
    if not text:
        return None
    try:
        return _worker_of(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidArgumentError(
            f'`shard="auto"` could not read TF_CONFIG, {text!r}: {type(error).__name__}: {error}.'
        ) from error


def _worker_of(config: Any) -> tuple[int, int] | None:
    """Returns (index, count). The chief comes first; for other tasks, such as evaluators, None."""
    cluster, task = config.get("cluster", {}), config.get("task", {})
    chiefs, workers = len(cluster.get("chief", ())), len(cluster.get("worker", ()))
    if task.get("type") == "chief":
        return int(task["index"]), chiefs + workers
    if task.get("type") == "worker":
        return chiefs + int(task["index"]), chiefs + workers
    return None
