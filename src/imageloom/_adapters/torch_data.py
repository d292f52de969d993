"""An iterator's batches as a torch `IterableDataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from imageloom._adapters.torch_device import import_torch
from imageloom._errors import InvalidArgumentError

__all__ = ["torch_dataset"]


def torch_dataset(one_pass: Callable[[], Iterator[Any]], length: Callable[[], int]) -> Any:
    """Makes a data set; each iteration over it reads one epoch of an iterator.

    Args:
        one_pass: reads the batches of an epoch.
        length: returns the number of batches in an epoch.

    Raises:
        MissingDependencyError: torch is not installed.
    """
    import_torch()
    from torch.utils.data import IterableDataset, get_worker_info

    class BatchDataset(IterableDataset):
        """Whole batches, for `DataLoader(dataset, batch_size=None, num_workers=0)`."""

        def __iter__(self) -> Iterator[Any]:
            if get_worker_info() is not None:
                raise _no_workers()
            return one_pass()

        def __len__(self) -> int:
            return length()

        def __reduce__(self) -> Any:
            raise _no_workers()  # if worker processes are spawned, not forked

    return BatchDataset()


def _no_workers() -> InvalidArgumentError:
    return InvalidArgumentError(
        "This data set has its own workers and cannot be copied to those of a DataLoader: use "
        "DataLoader(dataset, batch_size=None, num_workers=0), and more `cores` instead."
    )
