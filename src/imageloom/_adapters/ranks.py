"""Which of several training processes this is, as the framework in use knows; nothing is imported."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from imageloom._errors import InvalidArgumentError

__all__ = ["own_shard"]


def own_shard() -> tuple[int, int]:
    """(index, count) of this process; (0, 1) where no framework was told of others.

    Asked are `torch.distributed` and JAX's processes, if they are loaded and initialised, and
    TensorFlow's `TF_CONFIG`.

    Raises:
        InvalidArgumentError: they contradict each other, or `TF_CONFIG` cannot be read.
    """
    answers = {"torch.distributed": _torch(), "JAX": _jax(), "TF_CONFIG": _tf_config()}
    known = {name: answer for name, answer in answers.items() if answer is not None}
    if len(set(known.values())) > 1:
        said = "; ".join(f"{name}: {index} of {count}" for name, (index, count) in known.items())
        raise InvalidArgumentError(
            f'`shard="auto"` got different answers ({said}): pass (index, count) yourself.'
        )
    return next(iter(known.values()), (0, 1))


def _torch() -> tuple[int, int] | None:
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed.get_rank(), distributed.get_world_size()


def _jax() -> tuple[int, int] | None:
    jax = sys.modules.get("jax")
    # Asked first, because asking for the index starts JAX' devices: `initialize` would come too late.
    if jax is None or not _jax_is_initialized(jax):
        return None
    return jax.process_index(), jax.process_count()


def _jax_is_initialized(jax: Any) -> bool:
    asked = getattr(getattr(jax, "distributed", None), "is_initialized", None)
    if asked is not None:
        return bool(asked())
    # JAX 0.4.31 does not tell, and each process would take itself for the only one.
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
            f'`shard="auto"` cannot read TF_CONFIG, {text!r}: {type(error).__name__}: {error}.'
        ) from error


def _worker_of(config: Any) -> tuple[int, int] | None:
    """The chief is the first worker; other tasks, such as evaluators, read the whole."""
    cluster, task = config.get("cluster", {}), config.get("task", {})
    chiefs, workers = len(cluster.get("chief", ())), len(cluster.get("worker", ()))
    if task.get("type") == "chief":
        return int(task["index"]), chiefs + workers
    if task.get("type") == "worker":
        return chiefs + int(task["index"]), chiefs + workers
    return None
