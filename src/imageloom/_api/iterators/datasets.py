"""An iterator's batches in the form that training frameworks want, on their devices.

::

    to_tf_dataset, to_torch_dataset, to_jax    passes over an epoch
    it[i], when Keras asks                     on its accelerator, if it has one
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Generic

from imageloom._adapters import keras_device
from imageloom._adapters.keras import Reader
from imageloom._adapters.moving import Mover
from imageloom._api.iterators.machinery import IteratorMachinery
from imageloom._api.planning import FrozenGenerator
from imageloom._checks.values import check_flag
from imageloom._imaging.mixing import NO_MIXTURE
from imageloom._stream.supply import BatchT_co

__all__ = ["ReadByFrameworks"]


class ReadByFrameworks(IteratorMachinery, Generic[BatchT_co]):
    """An iterator that frameworks can read."""

    def _batches(self) -> int:
        return len(self._order)

    def _one_pass(self, mover: Mover | None = None) -> Iterator[BatchT_co]:
        self._refresh()
        if mover is None:
            yield from self._stream.one_pass()
        else:
            yield from self._stream.one_pass(mover, self._lane_to_devices())

    def _mover_for(self, reader: Reader) -> Mover | None:
        """What moves batches to the accelerator of the Keras that reads; None if it has none."""
        if reader is not Reader.KERAS:
            return None
        found = keras_device.accelerator()
        if found is None:
            return None
        return self._mover(("keras", *found), partial(keras_device.mover_to, *found))

    def _mover(self, place: Any, make: Callable[[], Mover]) -> Mover:
        """The mover to a place.

        All data sets share it: memory is locked in place once, and a finish compiled once.
        """
        if place not in self._movers:
            self._movers[place] = make()
        return self._movers[place]

    def to_tf_dataset(self) -> Any:
        """Returns a `tf.data.Dataset` of the batches; each iteration over it reads one epoch.

        The signature is exact except for the number of samples, because the last batch of an epoch
        may be shorter. Lists in a batch, such as several inputs, become tuples; several inputs
        without targets become a tuple in a tuple of one, as Keras requires. Iterations at the same
        time read the same epoch. If an iteration stops early, the next one reads the same epoch.

        An error of a file or a hook is raised as one of `tf.errors`, with the original message.
        `state_dict` gives the start of the epoch until its last batch was read. With a
        `get_batch_function`, this method computes the first batch to determine the shapes.

        Raises:
            MissingDependencyError: TensorFlow is not installed.
        """
        from imageloom._adapters.tf_data import tf_dataset

        example = next(self._one_pass()) if self._makes_batches else self._empty_batch()
        return tf_dataset(self._one_pass, self._batches, example)

    def to_torch_dataset(self, device: Any = None, pin_memory: bool | None = None) -> Any:
        """Returns a torch `IterableDataset` of whole batches; each iteration reads one epoch.

        Pass it to `DataLoader(dataset, batch_size=None, num_workers=0)`, which makes tensors of the
        arrays without a copy; they are writable. Torch needs `data_format="channels_first"`, and
        class numbers (`class_mode="sparse"`) as `y.long()`. Iterations at the same time read the
        same epoch. If an iteration stops early, the next one reads the same epoch. `state_dict`
        gives the start of the epoch until its last batch was read.

        With a device, the batches are tensors there already: of all arrays that torch has a type for,
        also labels and weights. On CUDA, finished batches are copied up to two ahead, on a stream of
        their own, while the program trains.

        Args:
            device: a `torch.device` or its name, such as `"cuda"` or `"cpu"`; None hands out arrays.
            pin_memory: whether copies come out of page-locked memory, which CUDA reads while the
                program goes on. The memory of the workers' batches is locked where the system allows
                it; otherwise, batches pass through buffers. None does it if the device is a CUDA
                device. Without a device, the batches are tensors in page-locked memory. Without
                CUDA, it changes nothing.

        Raises:
            MissingDependencyError: torch is not installed.
            InvalidArgumentError, ArgumentTypeError: torch cannot use this device.
        """
        from imageloom._adapters.torch_data import torch_dataset
        from imageloom._adapters.torch_device import TorchMover, checked_device

        check_flag("pin_memory", pin_memory)
        if device is None and not pin_memory:
            return torch_dataset(self._one_pass, self._batches)
        place = None if device is None else checked_device(device)
        make = partial(TorchMover, place, pin_memory=pin_memory)
        mover = self._mover(("torch", place, pin_memory), make)
        return torch_dataset(partial(self._one_pass, mover), self._batches)

    def to_jax(self, device: Any = None) -> Iterable[BatchT_co]:
        """Returns the batches as arrays of JAX on a device; each iteration reads one epoch.

        `jax.device_put` is called for finished batches up to two ahead. `len` is the number of
        batches. Iterations at the same time read the same epoch. If an iteration stops early, the next
        one reads the same epoch. `state_dict` gives the start of the epoch until its last batch was
        read. Without JAX' `jax_enable_x64`, numbers of 64 bits become such of 32. Text stays as it is.

        Args:
            device: a `jax.Device`, a platform such as `"gpu"`, or a `jax.sharding.Sharding` that
                divides the samples of each batch among several devices; None for JAX' default device.

        Raises:
            MissingDependencyError: JAX is not installed.
            InvalidArgumentError, ArgumentTypeError: JAX cannot use this device.
        """
        from imageloom._adapters.jax_data import JaxBatches, JaxMover, checked_place

        place = checked_place(device)
        mover = self._mover(("jax", place), partial(JaxMover, place))
        return JaxBatches(partial(self._one_pass, mover), self._batches)

    def _empty_batch(self) -> BatchT_co:
        """A batch without samples, with the structure, shapes and dtypes of all batches."""
        frozen: FrozenGenerator = self._generator._freeze()
        recipe = self._plan.recipe(frozen, self.batch_size)
        mixture = None if recipe.mixing is None else NO_MIXTURE  # targets are floats nevertheless
        batch: BatchT_co = self._stream.supply.empty_batch(recipe.layout, mixture)
        return batch
