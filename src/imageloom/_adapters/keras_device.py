"""Finds the accelerator of the Keras that reads an iterator.

Keras copies a batch when it is asked for, or one batch ahead on JAX. An iterator moves its batches
before that. They reach Keras as arrays of its backend, which it uses as they are.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from imageloom._adapters.jax_data import JaxMover
from imageloom._adapters.moving import Mover
from imageloom._adapters.torch_device import TorchMover

__all__ = ["accelerator", "mover_to"]

# Images and masks. Keras computes with labels and weights on the host.
_LEAST_RANK: Final = 3


def mover_to(framework: str, device: Any) -> Mover:
    """Makes a mover to an accelerator, as `accelerator` describes it."""
    if framework == "torch":
        return TorchMover(device, least_rank=_LEAST_RANK)
    return JaxMover(device, least_rank=_LEAST_RANK)


def accelerator() -> tuple[str, Any] | None:
    """The backend of the loaded Keras 3 and its device; None if it computes on the CPU.

    With a distribution, Keras divides batches itself.
    """
    keras = sys.modules.get("keras")
    backend = getattr(getattr(keras, "backend", None), "backend", None)
    name = backend() if callable(backend) else None
    if name == "torch":
        torch = sys.modules["torch"]
        if torch.cuda.is_available() and not _wants_cpu():
            return name, torch.device("cuda", torch.cuda.current_device())
    if name == "jax":
        jax = sys.modules["jax"]
        if jax.default_backend() != "cpu" and _distribution(keras) is None:
            return name, None
    return None


def _wants_cpu() -> bool:
    """Whether the program lets Keras' torch compute on the CPU, within `keras.device`."""
    core = sys.modules.get("keras.src.backend.torch.core")
    find = getattr(core, "get_device", None)
    return callable(find) and not str(find()).startswith("cuda")


def _distribution(keras: Any) -> Any:
    find = getattr(getattr(keras, "distribution", None), "distribution", None)
    return find() if callable(find) else None
