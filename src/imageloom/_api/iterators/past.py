"""Batches of any time: any position of the stream again, its picture, and receipts of it."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from imageloom._api.iterators.datasets import ReadByFrameworks
from imageloom._api.iterators.origins import origin
from imageloom._api.iterators.receipts import differences, make_receipt
from imageloom._api.iterators.versions import AugmentedVersions, make_versions
from imageloom._api.iterators.views import IteratorViews
from imageloom._checks.values import in_words
from imageloom._errors import ArgumentTypeError, BatchIndexError
from imageloom._stream.supply import BatchT_co, PastBatch

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ReadAgain"]

_END: Final = 2**62  # of positions; no training reads so many batches


class ReadAgain(ReadByFrameworks[BatchT_co]):
    """An iterator whose batches can be read at any position."""

    if TYPE_CHECKING:

        def state_dict(self) -> dict[str, Any]: ...
        def _views(self) -> IteratorViews: ...

    def batch(self, position: int) -> BatchT_co:
        """Returns the batch at any position of the stream, in the past or in the future.

        It is the batch that `next` hands out there: `it.batch(0)` is the first one of the first
        epoch, `it.batch(len(it))` the first one of the second epoch. Batch i that Keras' `fit` asks
        for in epoch e is at `e * len(it) + i`. What the iterator hands out next, its report and
        `save_to_dir` stay as they are. Attributes count as they are now: after an assignment, also
        past positions are those of the new stream.

        Args:
            position: a number of batches, counted from 0 over all epochs, as `total_batches_seen`
                and `"position"` in a state count them; with shards, those of this shard.

        Raises:
            BatchIndexError: a negative position, or an iterator without images.
            ArgumentTypeError: `position` is not an integer.
            IteratorClosedError: the iterator was closed.
            Exception: the error of a hook or a file of this batch.
        """
        batch: BatchT_co = self._past_batch(position).batch
        return batch

    def _past_batch(self, position: Any) -> PastBatch:
        if isinstance(position, bool) or not hasattr(position, "__index__"):
            raise ArgumentTypeError(
                f"`position` must be an integer, a number of batches; received {in_words(position)}."
            )
        place = operator.index(position)
        if not 0 <= place < _END:
            raise BatchIndexError(
                f"`position` must be >= 0, counted from the first batch of the first epoch; received "
                f"{place!r:.40}. The batch that came last is at total_batches_seen - 1."
            )
        self._refresh()
        if not len(self._order):
            raise BatchIndexError("This iterator has no batches, because it has no images.")
        return self._stream.again(place)

    def replay(self, position: int) -> Image.Image:
        """Returns a picture of the batch at any position: files, targets and what was drawn.

        Each row is a sample of the batch: the image as it is stored, and as the batch has it, before
        the normalisation. Hooks are called, in this process. Nothing changes about the iterator.

        Args:
            position: as for `batch`.

        Returns:
            A `PIL.Image.Image`, whose `info["versions"]` lists the file, the target and all drawn
            parameters of each sample.

        Raises:
            BatchIndexError, ArgumentTypeError: as for `batch`.
            InvalidArgumentError: a `get_batch_function`, or a method of the user, makes the batches.
            BadImageError: a file of the batch cannot be read.
        """
        past = self._past_batch(position)
        place = divmod(past.spec.position, len(self._order))
        return self._views().replay(past.spec, place, made_by_class=self._has_batch_method)

    def tta(self, n: int) -> AugmentedVersions[BatchT_co]:
        """Returns batches of n augmented versions of each sample, for test-time augmentation.

        The samples come in the order of the data set, each with its n versions one after the other::

            versions = it.tta(5)
            predictions = versions.average(model.predict(versions))  # one row for each sample

        Versions are drawn from random numbers of their own. They depend on the seed, on `n`, on the
        batch size and on the place in the data set alone, so each pass gives the same ones. The
        transforms are those of the generator, also for a validation subset without augmentation.
        The position of this iterator does not change.

        Args:
            n: number of versions of each sample.

        Raises:
            InvalidArgumentError, ArgumentTypeError: `n` is not an integer above 0; the generator
                changes nothing at random; a class of yours makes the batches.
            IteratorClosedError: the iterator was closed.
        """
        self._refresh()
        return make_versions(self, n)

    def receipt(self, batches: int = 3, *, contents: bool = True) -> dict[str, Any]:
        """Returns a digest of data, options, versions and stream, as plain JSON.

        `verify` and `imageloom verify` tell with it whether another folder, machine or release
        gives the same batches. It reads all files once, with a progress bar, and computes some
        batches of the first epoch and the one before the position. Hooks are named, but not
        compared.

        Args:
            batches: number of batches of the first epoch whose digests are noted, spread over it.
            contents: whether the bytes of all files are digested; False compares names and sizes
                only, which takes no time.

        Returns:
            A dictionary; about 100 bytes for each of up to 10,000 files, and not more for more.

        Raises:
            InvalidArgumentError, ArgumentTypeError: `batches` is not an integer above 0.
            BatchIndexError: there are no images.
            IteratorClosedError: the iterator was closed.
            StorageError, OSError: a file cannot be read.
        """
        return make_receipt(self, batches, contents=contents)

    def verify(self, receipt: Mapping[str, Any]) -> list[str]:
        """Compares this iterator with a receipt, and returns what differs, in sentences.

        Data, options and the seed are compared, and the batches of the receipt are computed again.
        An empty list says that all is the same. Versions of packages count only if batches differ.

        Raises:
            InvalidArgumentError, ArgumentTypeError: `receipt` is not a receipt.
            StateMismatchError: it is of a newer version.
            IteratorClosedError: the iterator was closed.
        """
        return differences(self, receipt)

    # What `LossJumpCallback` asks for

    def _requests(self) -> int:
        """How many batches Keras has requested so far."""
        return self._stream.cursor.requests

    def _requested(self, request: int) -> int | None:
        """The position of a request, counted from 0; None if that is long ago, or to come."""
        return self._stream.cursor.requested(request)

    def _next_request(self, request: int) -> int:
        """The first request from this one on that is of the present pass, or to come."""
        cursor = self._stream.cursor
        while (position := cursor.requested(request)) is not None and position < cursor.pass_start:
            request += 1
        return request

    def _samples_at(self, position: int) -> list[Any]:
        """The files of a batch, as `filenames` has them, or the row numbers of an array."""
        with self._stream.lock:
            spec = self._stream.past.spec(position)
        names = self._plan.source.task(spec).filenames
        return [*names] if names else spec.indices.tolist()

    def _origin(self) -> dict[str, Any]:
        made = getattr(self, "_made", None)
        frozen = self._generator._freeze()
        return origin(self, made, frozen, self._order.options, self._plan.settings)
