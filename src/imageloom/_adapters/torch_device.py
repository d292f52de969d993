"""Moves batches to a device of torch, on a stream of their own."""

from __future__ import annotations

import weakref
from collections import deque
from contextlib import nullcontext
from typing import Any, Final

import numpy as np

from imageloom._adapters.finish.steps import BatchFinish, FinishSteps, ImageFinish
from imageloom._adapters.finish.torch_finish import torch_finish
from imageloom._adapters.moving import Moved, with_arrays
from imageloom._adapters.page_locks import PageLocks
from imageloom._errors import ArgumentTypeError, InvalidArgumentError, MissingDependencyError
from imageloom._locks import Lock

__all__ = ["TorchMover", "checked_device", "import_torch"]

_KINDS: Final = "?uif"  # of numbers that torch has, which has bytes, words and floats of most sizes


def import_torch() -> Any:
    """Returns the module.

    Raises:
        MissingDependencyError: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            "`to_torch_dataset` needs PyTorch, which is not installed: pip install torch."
        ) from error
    return torch


def checked_device(device: Any) -> Any:
    """The `torch.device` that an argument names, after a test whether it is there.

    Raises:
        InvalidArgumentError: torch does not know it, or this machine does not have it.
        ArgumentTypeError: it is no name, number or `torch.device`.
    """
    torch = import_torch()
    try:
        found = torch.device(device)
        # The device of a tensor has a number, also where the argument has none.
        return torch.empty(0, device=found).device
    except TypeError as error:
        raise ArgumentTypeError(
            f'`device` must be a `torch.device` or a name such as "cuda"; received {device!r}.'
        ) from error
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).partition("\n")[0]
        raise InvalidArgumentError(f"torch cannot use `device` {device!r}: {reason}.") from error


class TorchMover:
    """Moves batches to a device of torch.

    On CUDA, copies run on a stream of their own. They read the slots of worker processes directly, once
    those are locked in place, and other arrays through pinned buffers, which torch uses again once
    their copies have ended. Other devices copy at once. The CPU uses the memory of the arrays.
    """

    def __init__(self, device: Any, *, pin_memory: bool | None = None, least_rank: int = 0) -> None:
        """Makes the stream.

        Args:
            device: the `torch.device`; None leaves batches on the CPU.
            pin_memory: whether copies come out of page-locked memory. None does it for CUDA. Where
                nothing can use such memory, it changes nothing. Without a device, the batches
                themselves are in page-locked memory.
            least_rank: arrays with fewer dimensions are left as they are.
        """
        torch = self._torch = import_torch()
        self._device = torch.device("cpu") if device is None else device
        self._least_rank = least_rank
        on_cuda = self._device.type == "cuda"
        self._stream = torch.cuda.Stream(self._device) if on_cuda else None
        self._pins = on_cuda if pin_memory is None else bool(pin_memory) and torch.cuda.is_available()
        locks = self._pins and on_cuda
        self._locks = self._page_locks() if locks else None
        self._finish: tuple[FinishSteps, ImageFinish] | None = None
        self._lock = Lock()  # several threads of Keras may read at the same time
        self._copying: deque[tuple[Any, list[Any]]] = deque()  # events, and what is being read
        # Memory must not go while it is locked or read, also if nobody closes the iterator.
        weakref.finalize(self, _release, self._copying, self._locks).atexit = False

    def _page_locks(self) -> PageLocks:
        torch, device = self._torch, self._device

        def compute_something() -> None:
            torch.zeros(1, device=device)

        return PageLocks(torch.cuda.cudart(), compute_something)

    def move(self, batch: Any, finish: BatchFinish | None = None) -> Moved:
        """Begins to move the arrays of a batch; does not wait for the end on CUDA."""
        with self._lock:
            return self._begin(batch, finish)

    def _let_go(self) -> None:
        """Lets go of arrays whose copies have ended."""
        while self._copying and self._copying[0][0].query():
            self._copying.popleft()

    def _begin(self, batch: Any, finish: BatchFinish | None) -> Moved:
        self._let_go()
        read: list[Any] = []
        arrays: list[np.ndarray[Any, Any]] = []
        with_arrays(batch, arrays.append)
        locked = self._locks is not None and self._locks.lock(arrays)
        try:
            with nullcontext() if self._stream is None else self._torch.cuda.stream(self._stream):
                if finish is not None:
                    parts = [self._copied(array, read, locked=locked) for array in batch]
                    batch = finish.batch(parts, self._finish_of(finish.steps), self._torch.clone)
                moved = with_arrays(batch, lambda array: self._moved(array, read, locked=locked))
        finally:  # also if the memory of the device was not enough for all of it
            event = None if self._stream is None else self._stream.record_event()
            if event is not None:
                self._copying.append((event, read))
        return Moved(moved, event)

    def _finish_of(self, steps: FinishSteps) -> ImageFinish:
        if self._finish is None or self._finish[0] is not steps:
            self._finish = steps, torch_finish(steps, self._device)
        return self._finish[1]

    def _moved(self, array: np.ndarray[Any, Any], read: list[Any], *, locked: bool) -> Any:
        return array if array.ndim < self._least_rank else self._copied(array, read, locked=locked)

    def _copied(self, array: np.ndarray[Any, Any], read: list[Any], *, locked: bool) -> Any:
        """A tensor on the device; the array itself if torch has no such type."""
        tensor = self._tensor(array)
        if tensor is None:
            return array
        if self._pins and not (locked and tensor.is_pinned()):
            tensor = self._torch.empty_like(tensor, pin_memory=True).copy_(tensor)
        read.append((array, tensor))
        return tensor.to(self._device, non_blocking=self._stream is not None)

    def _tensor(self, array: np.ndarray[Any, Any]) -> Any:
        """A tensor over an array's memory; None if torch has no such type."""
        torch = self._torch
        if not array.dtype.isnative or not array.flags.writeable:
            array = array.astype(array.dtype.newbyteorder("="))
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        if array.dtype.kind not in _KINDS:
            return None
        try:
            return torch.from_numpy(array)
        except (TypeError, ValueError):  # a type of NumPy alone, or strides that run backwards
            if array.dtype == np.longdouble:
                return None
            return torch.from_numpy(np.ascontiguousarray(array))

    def hand_over(self, moved: Moved) -> Any:
        """Returns a moved batch, for which the caller's stream waits."""
        if moved.ready is not None:
            stream = self._torch.cuda.current_stream(self._device)
            stream.wait_event(moved.ready)
            self._mark(moved.batch, stream)
            with self._lock:
                self._let_go()
        return moved.batch

    def _mark(self, part: Any, stream: Any) -> None:
        """Keeps the memory of tensors from being used again before this stream has read it."""
        if isinstance(part, self._torch.Tensor):
            if part.device == self._device:
                part.record_stream(stream)
        elif isinstance(part, (tuple, list, dict)):
            for child in part.values() if isinstance(part, dict) else part:
                self._mark(child, stream)

    def release(self) -> None:
        """Waits for copies that still go on, and unlocks the slots."""
        with self._lock:
            _release(self._copying, self._locks)


def _release(copying: deque[tuple[Any, list[Any]]], locks: PageLocks | None) -> None:
    while copying:
        copying.popleft()[0].synchronize()
    if locks is not None:
        locks.release()
