"""Test-time augmentation: n versions of each sample, and the mean of what a model says of them."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Generic, Self

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.keras import KerasSurface, Reader, for_keras, reader_asking
from imageloom._checks.values import check_int, in_words
from imageloom._errors import (
    ArgumentTypeError,
    BatchIndexError,
    InvalidArgumentError,
    IteratorClosedError,
)
from imageloom._executors.base import Channel
from imageloom._public import public
from imageloom._stream.access import StreamAccess
from imageloom._stream.supply import BatchT_co
from imageloom._stream.versions import VersionsOrder

__all__ = ["AugmentedVersions", "make_versions"]


@public
class AugmentedVersions(KerasSurface, Generic[BatchT_co]):
    """The batches of `it.tta(n)`: n augmented versions of each sample, for Keras or a loop.

    The samples come in the order of the data set, each with its n versions one after the other, and
    all versions of a sample are in one batch. A batch has the form of the iterator's batches, with
    the targets of each version's sample. Its number of rows is the largest multiple of n that fits
    into the iterator's batch size, at least n; the last batch may be shorter. A pass reads each sample
    once and ends, and each pass gives the same batches::

        versions = it.tta(5)
        predictions = versions.average(model.predict(versions))
        for images, labels in versions:
            predictions = versions.average(model.predict_on_batch(images))

    Attributes:
        n: number of versions of each sample.
        batch_size: number of rows in a batch, a multiple of n.
        samples: numbers of the samples in the order of the averaged predictions, int64; with shards,
            those of this shard.
    """

    def __init__(self, source: Any, order: VersionsOrder, open_channel: Any, fingerprint: Any) -> None:
        """Starts nothing; `it.tta(n)` makes it."""
        self.n = order.versions
        self.batch_size = order.batch_size
        self._order = order
        self._stream = StreamAccess(source, order, open_channel)
        self._fingerprint = fingerprint

    @property
    def samples(self) -> NDArray[np.int64]:
        """Numbers of the samples, in the order of the averaged predictions."""
        return self._order.samples_in_order

    @property
    def num_batches(self) -> int:
        """Number of batches in a pass."""
        return len(self)

    def __len__(self) -> int:
        """Number of batches in a pass."""
        return len(self._order)

    def __iter__(self) -> Iterator[BatchT_co]:
        """One pass, from the first batch on, or from the position of a state that was loaded."""
        length, first = len(self), self._stream.cursor.pass_start
        with self._stream.lock:
            self._stream.cursor.jump(first)
        for _ in range(length - first % max(1, length)):
            yield next(self)

    def __next__(self) -> BatchT_co:
        """Returns the next batch; after the last one comes the first one again.

        Raises:
            IteratorClosedError: it was closed.
            Exception: the error of a hook or a file of this batch; the next call continues after it.
        """
        if not len(self):
            raise StopIteration
        batch: BatchT_co = self._stream.next()
        return batch

    def __getitem__(self, index: int) -> BatchT_co:
        """Returns batch `index`; negative numbers count from the end.

        Raises:
            BatchIndexError: there is no such batch.
            ArgumentTypeError: `index` is not an integer.
        """
        if not hasattr(index, "__index__"):
            raise ArgumentTypeError(f"The index of a batch must be an integer; received {index!r}.")
        length = len(self)
        if not -length <= index < length:
            raise BatchIndexError(
                f"Asked to retrieve element {index}, but the Sequence has length {length}"
            )
        reader = reader_asking()
        place = (operator.index(index) - self._stream.cursor.pass_start) % length
        batch: BatchT_co = self._stream.get(place, reader)
        return batch if reader in (Reader.USER, Reader.MLTK) else for_keras(batch)

    def on_epoch_begin(self) -> None:
        """Called by Keras before it requests the batches of a pass."""

    def on_epoch_end(self) -> None:
        """Called by Keras after a pass; all passes are the same."""

    def average(self, predictions: Any) -> Any:
        """Returns the mean of the predictions of each sample's versions.

        Args:
            predictions: what a model says of all batches, or of one: an array or tensor with one row
                for each version, such as `model.predict` returns; or a list, tuple or dictionary of
                them, for models with several outputs.

        Returns:
            NumPy arrays of one row for each sample, in the order of `samples`, with the dtype of
            `predictions` if that is a floating one, else float64.

        Raises:
            InvalidArgumentError: the number of rows is not a multiple of n.
            ArgumentTypeError: there are no rows of numbers.
        """
        if isinstance(predictions, Mapping):
            return {name: self.average(part) for name, part in predictions.items()}
        if isinstance(predictions, (list, tuple)) and any(np.ndim(part) for part in predictions):
            parts = (self.average(part) for part in predictions)
            return list(parts) if isinstance(predictions, list) else tuple(parts)
        if hasattr(predictions, "detach"):  # a tensor of torch
            predictions = predictions.detach().cpu()
        rows = np.asarray(predictions)
        if rows.ndim == 0 or rows.dtype.kind not in "biuf":
            raise ArgumentTypeError(
                "`predictions` must be what a model returns, with one row for each version; received "
                f"{in_words(predictions)}."
            )
        if len(rows) % self.n:
            raise InvalidArgumentError(
                f"`predictions` must have a multiple of {self.n} rows, one for each version of each "
                f"sample; received shape {rows.shape}. Pass what the model says of whole batches."
            )
        mean = rows.reshape(-1, self.n, *rows.shape[1:]).mean(axis=1, dtype=np.float64)
        return mean.astype(rows.dtype) if rows.dtype.kind == "f" else mean

    def state_dict(self) -> dict[str, Any]:
        """Returns the position of `next` and of loops, as plain JSON, for `load_state_dict`."""
        return self._stream.state(self._described())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Lets `next`, and the next loop, go on at the position of a state.

        The state may be of another iterator with the same data, arguments and seed.

        Raises:
            StateMismatchError: the data, an argument or the seed differ, or the state is from a
                newer version; the message says what differs.
            InvalidArgumentError, ArgumentTypeError: `state` is not a state.
        """
        self._stream.load(state, self._described())

    def _described(self) -> dict[str, Any]:
        return {**self._fingerprint(), "versions": self.n, "shard": list(self._order.shard)}

    def close(self) -> None:
        """Frees the memory; the iterator that it was made from stays open."""
        self._stream.close()

    def __enter__(self) -> Self:
        """Returns this object, which is closed at the end of the block."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes it."""
        self.close()

    def __repr__(self) -> str:
        """How many samples, versions and batches there are."""
        samples = self._order.samples // self.n
        return f"<AugmentedVersions: {self.n} of each of {samples} samples, {len(self)} batches>"


def make_versions(iterator: Any, n: Any) -> AugmentedVersions[Any]:
    """The versions of an iterator's samples, with its data set and generator as they are now.

    Raises:
        InvalidArgumentError, ArgumentTypeError: as `tta` says.
        IteratorClosedError: the iterator was closed.
    """
    check_int("n", n, 1)
    if iterator._stream.supply.closed:
        raise IteratorClosedError(
            "This iterator is closed. Make a new one with the generator's flow methods."
        )
    if iterator._has_batch_method:
        raise InvalidArgumentError(
            f"`tta` cannot augment the batches of {type(iterator).__name__}, which its own "
            "`_get_batches_of_transformed_samples` makes: use an iterator of a flow method."
        )
    frozen, plan, own = iterator._generator._freeze(), iterator._plan, iterator._order
    order = VersionsOrder(
        plan.source, operator.index(n), iterator.batch_size, own.seed, own.options.shard
    )
    transform = frozen.options.transform
    written = frozen.overrides or any(
        getattr(frozen.options, name) is not None
        for name in ("preprocessing_function", "noaug_preprocessing_function", "get_batch_function")
    )
    if n > 1 and transform.changes_nothing and not written:
        why = "random_transforms_enabled=False" if not transform.random_transforms_enabled else ""
        raise InvalidArgumentError(
            f"`tta({n})` would return {n} equal versions of each sample, because the generator changes "
            f"nothing at random{f' ({why})' if why else ''}. Pass, for example, rotation_range=20 or "
            "horizontal_flip=True to the generator."
        )
    opened = partial(_opened, plan, iterator._generator, order.batch_size)
    return AugmentedVersions(plan.source, order, opened, iterator._fingerprint)


def _opened(plan: Any, generator: Any, rows: int) -> Channel:
    """Opens a channel for augmented batches, also of a subset that is not augmented in training."""
    frozen = generator._freeze()
    recipe = plan.recipe(frozen, rows)
    recipe = dataclasses.replace(
        recipe,
        transform=frozen.options.transform,
        params=dataclasses.replace(recipe.params, save_to_dir=None),
    )
    channel: Channel = generator._open_channel(frozen, plan.source, recipe)
    return channel
