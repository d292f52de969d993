"""Finishes images with torch."""

from __future__ import annotations

import importlib.util
from typing import Any, Final

import numpy as np

from imageloom._adapters.finish.images import image_finish
from imageloom._adapters.finish.steps import FinishSteps, ImageFinish
from imageloom._log import logger

__all__ = ["compiled", "torch_finish"]

_IMAGE: Final = (1, 2, 3)


def torch_finish(steps: FinishSteps, device: Any) -> ImageFinish:
    """A function that finishes images on a device.

    On CUDA it is compiled, where that works; elsewhere compiling needs a compiler of C++ and takes
    longer than it saves.
    """
    plain = image_finish(_TorchNumbers(device), steps)
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return plain
    return _Compiled(plain)


def compiled(plain: ImageFinish, **options: Any) -> ImageFinish:
    """The function, which torch compiles at its first call."""
    import torch

    def finish(x: Any, geometry: Any, colours: Any) -> Any:
        return plain(x, geometry, colours)

    found: ImageFinish = torch.compile(finish, dynamic=False, **options)
    return found


class _Compiled:
    """Calls the compiled function, or the plain one if torch cannot compile it here."""

    def __init__(self, plain: ImageFinish) -> None:
        self._plain = plain
        self._compiled: ImageFinish | None = compiled(plain)

    def __call__(self, x: Any, geometry: Any, colours: Any) -> Any:
        if self._compiled is not None:
            try:
                return self._compiled(x, geometry, colours)
            except Exception as error:
                # Which errors a missing compiler or a limit of it gives depends on torch's version.
                logger.info("torch cannot compile the finish, which goes step by step: %s", error)
                self._compiled = None
        return self._plain(x, geometry, colours)


class _TorchNumbers:
    """torch's operations, as `Numbers` names them."""

    def __init__(self, device: Any) -> None:
        import torch

        self._torch = torch
        self._device = device
        self.floor, self.trunc, self.isnan = torch.floor, torch.trunc, torch.isnan

    def where(self, condition: Any, one: Any, other: Any) -> Any:
        return self._torch.where(condition, one, other)

    def clip(self, x: Any, low: Any, high: Any) -> Any:
        return self._torch.clamp(x, low, high)

    def remainder(self, x: Any, divisor: int) -> Any:
        return self._torch.remainder(x, divisor)

    def floats(self, x: Any) -> Any:
        return x.to(self._torch.float32)

    def whole(self, x: Any) -> Any:
        return x.to(self._torch.int64)

    def take(self, x: Any, row: Any, column: Any) -> Any:
        image = self._torch.arange(x.shape[0], device=x.device)[:, None, None]
        return x[image, row, column]

    def extremes(self, x: Any) -> tuple[Any, Any]:
        return x.amin(dim=_IMAGE, keepdim=True), x.amax(dim=_IMAGE, keepdim=True)

    def mean(self, x: Any) -> Any:
        return x.mean(dim=_IMAGE, keepdim=True)

    def std(self, x: Any) -> Any:
        return x.std(dim=_IMAGE, keepdim=True, correction=0)

    def total(self, x: Any) -> Any:
        return x.to(self._torch.int64).sum(dim=_IMAGE, keepdim=True)

    def flip(self, x: Any, axis: int) -> Any:
        return x.flip(axis)

    def move_channels_first(self, x: Any) -> Any:
        return x.permute(0, 3, 1, 2).contiguous()

    def multiply(self, x: Any, matrix: Any) -> Any:
        return self._torch.matmul(x, matrix)

    def join(self, x: Any, more: Any) -> Any:
        return self._torch.cat((x, more), dim=3)

    def constant(self, value: np.ndarray[Any, Any]) -> Any:
        return self._torch.tensor(np.asarray(value, np.float32), device=self._device)

    def cast(self, x: Any, dtype: str) -> Any:
        return x.to(getattr(self._torch, dtype))
