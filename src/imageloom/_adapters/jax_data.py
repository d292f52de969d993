"""An iterator's batches as arrays of JAX, on a device or spread over several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from imageloom._adapters.finish.jax_finish import jax_finish
from imageloom._adapters.finish.steps import BatchFinish, FinishSteps, ImageFinish
from imageloom._adapters.moving import Moved, with_arrays
from imageloom._errors import ArgumentTypeError, InvalidArgumentError, MissingDependencyError

__all__ = ["JaxBatches", "JaxMover", "checked_place"]

_OTHER_NUMBERS: Final = ("bfloat16", "float8", "int4", "uint4", "int2", "uint2")  # of `ml_dtypes`


def checked_place(device: Any) -> Any:
    """The device or the sharding of an argument: one of JAX, a platform such as "gpu", or None.

    Raises:
        MissingDependencyError: JAX is not installed.
        InvalidArgumentError: JAX has no such platform.
        ArgumentTypeError: it is something else.
    """
    try:
        import jax
    except ImportError as error:
        raise MissingDependencyError(
            "`to_jax` needs JAX, which is not installed: pip install jax."
        ) from error
    if device is None or isinstance(device, (jax.Device, jax.sharding.Sharding)):
        return device
    if not isinstance(device, str):
        raise ArgumentTypeError(
            "`device` must be a `jax.Device`, a `jax.sharding.Sharding`, a platform such as "
            f'"gpu", or None for JAX\' default; received {device!r}.'
        )
    try:
        return jax.local_devices(backend=device)[0]
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise InvalidArgumentError(f"JAX cannot use `device` {device!r}: {reason}.") from error


class JaxMover:
    """Moves batches with `jax.device_put`, which returns at once.

    JAX keeps a host array until its copy has ended. The CPU uses the memory of the array, and keeps it
    as long as its own array lives.
    """

    def __init__(self, place: Any, *, least_rank: int = 0) -> None:
        """Moves nothing yet.

        Args:
            place: a device or a sharding of JAX; None for its default device.
            least_rank: arrays with fewer dimensions are left as they are.
        """
        self._place = place
        self._least_rank = least_rank
        self._finish: tuple[FinishSteps, ImageFinish] | None = None

    def move(self, batch: Any, finish: BatchFinish | None = None) -> Moved:
        """Begins to move the arrays of a batch.

        Raises:
            InvalidArgumentError: the samples of the batch cannot be divided among the devices.
        """
        if finish is not None:
            parts = [self._copied(array) for array in batch]
            batch = finish.batch(parts, self._finish_of(finish.steps), lambda images: images)
        return Moved(with_arrays(batch, self._moved))

    def _finish_of(self, steps: FinishSteps) -> ImageFinish:
        if self._finish is None or self._finish[0] is not steps:
            self._finish = steps, jax_finish(steps)
        return self._finish[1]

    def _moved(self, array: np.ndarray[Any, Any]) -> Any:
        return array if array.ndim < self._least_rank else self._copied(array)

    def _copied(self, array: np.ndarray[Any, Any]) -> Any:
        """An array on the device; the array itself if JAX has no such type."""
        import jax

        if array.dtype.kind not in "?biufc" and not array.dtype.name.startswith(_OTHER_NUMBERS):
            return array
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        try:
            return jax.device_put(array, self._place)
        except ValueError as error:
            if not isinstance(self._place, jax.sharding.Sharding):
                raise
            raise InvalidArgumentError(
                f"A batch with an array of shape {array.shape} cannot be divided as `device` says "
                f"({self._place}). The last batch of an epoch may be shorter: choose a batch size "
                "that divides the number of samples, and is a multiple of the number of devices."
            ) from error

    def hand_over(self, moved: Moved) -> Any:
        """Returns the batch; JAX waits for the copy where its arrays are used."""
        return moved.batch

    def release(self) -> None:
        """Keeps nothing."""


class JaxBatches:
    """The batches of an iterator, moved to JAX' devices; each iteration reads one epoch."""

    def __init__(self, one_pass: Callable[[], Iterator[Any]], length: Callable[[], int]) -> None:
        """Reads nothing yet.

        Args:
            one_pass: reads the batches of an epoch.
            length: returns the number of batches in an epoch.
        """
        self._one_pass = one_pass
        self._length = length

    def __iter__(self) -> Iterator[Any]:
        """Reads an epoch."""
        return self._one_pass()

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._length()
