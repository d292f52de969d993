"""The base class of all iterators, which has the interface of Keras' iterators.

An iterator reads one endless stream of batches (see `_stream`). `next(it)` moves along the stream.
`it[i]` is always batch i of the current epoch, however often and from whichever thread it is read.
With `next()` the next epoch starts by itself. Under Keras' protocol it starts at `on_epoch_end()`,
once every batch of the epoch was handed out.

The first request freezes the generator's options and opens a channel to its workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from imageloom._adapters.keras import Reader, for_keras, reader_asking
from imageloom._api.iterators.past import ReadAgain
from imageloom._api.iterators.views import IteratorViews, class_weights
from imageloom._api.planning import FrozenGenerator
from imageloom._errors import ArgumentTypeError, BatchIndexError, InvalidArgumentError
from imageloom._public import public
from imageloom._stream.reporting.report import Report
from imageloom._stream.reporting.trace import Trace
from imageloom._stream.state import described, plain
from imageloom._stream.substitutions import BadImage
from imageloom._stream.supply import BatchT_co

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["BatchIterator"]


@public
class BatchIterator(ReadAgain[BatchT_co]):
    """The base class of all iterators: the protocol of Keras' iterators and of its `PyDataset`.

    Attributes that Keras' iterators have may be assigned at any time, and take effect as in Keras.

    Attributes:
        n: number of samples in an epoch. Another number changes nothing about the samples; see also
            `index_array`.
        batch_size: number of samples in a batch; the last batch of an epoch may be shorter. The next
            batch keeps its number.
        shuffle: whether every epoch has a new order; an epoch that has begun keeps its own.
        seed: as given; for None, the first batch draws a seed from NumPy's global state.
        batch_index: number, within its epoch, of the batch that `next` returns next; 0 begins an
            epoch.
        total_batches_seen: position in the stream of the batch that `next` returns next, counted
            from 0. It is added to the seed.
        workers: number of Keras' own threads; leave it at 1, batches are computed in the
            background.
        max_queue_size: size of Keras' own queue, which is used only if `workers` is above 1.
        lock: held while `next` moves the position.
    """

    @property
    def sample_count(self) -> int:
        """Number of samples."""
        return self.n

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of a full batch of images."""
        return (self.batch_size, *self._plan.row_shape)

    @property
    def shard(self) -> tuple[int, int]:
        """The part of the stream that is read, as (index, count); (0, 1) is the whole stream."""
        return self._order.options.shard

    @property
    def balance(self) -> bool:
        """Whether epochs draw all classes equally often."""
        return self._order.balance

    @property
    def num_batches(self) -> int:
        """Number of batches in an epoch of this shard."""
        return len(self)

    def __len__(self) -> int:
        """Number of batches in an epoch of this shard."""
        return len(self._order)

    # Reading

    def __iter__(self) -> Iterator[BatchT_co]:
        """The iterator itself, which never ends; for MLTK's own loops one epoch, which they expect."""
        return self._one_pass() if reader_asking() is Reader.MLTK else self

    def __next__(self) -> BatchT_co:
        """Returns the next batch of the stream.

        Raises:
            IteratorClosedError: the iterator was closed.
            Exception: the error of a hook or a file of this batch; the next call continues after
                it.
        """
        self._refresh()
        with self.lock:
            spec = self._stream.take(ahead=True)
        batch: BatchT_co = self._stream.fetch(spec)
        return batch

    def next(self) -> BatchT_co:
        """Returns the next batch of the stream, like `next(it)`."""
        return self.__next__()

    def __getitem__(self, index: int) -> BatchT_co:
        """Returns batch `index` of the current epoch; negative numbers count from its end.

        Raises:
            BatchIndexError: the epoch has no such batch.
            ArgumentTypeError: `index` is not an integer.
        """
        if not hasattr(index, "__index__"):
            raise ArgumentTypeError(f"The index of a batch must be an integer; received {index!r}.")
        length = len(self)
        if not -length <= index < length:
            raise BatchIndexError(
                f"Asked to retrieve element {index}, but the Sequence has length {length}"
            )
        self._refresh()
        reader = reader_asking()
        mover = self._mover_for(reader)
        lane = None if mover is None else self._lane_to_devices()
        batch: BatchT_co = self._stream.get(int(index) % length, reader, mover, lane)
        if reader not in (Reader.USER, Reader.MLTK) and not self._is_users_own(batch):
            batch = for_keras(batch)
        return batch

    def _is_users_own(self, batch: Any) -> bool:
        """Whether a function or method of the user made it, whose form is kept."""
        return isinstance(batch, list) and self._makes_batches

    @property
    def read_in_order(self) -> bool:
        """Whether the batches of this pass were requested in sequence, starting with the first."""
        return self._stream.cursor.in_order

    def on_epoch_begin(self) -> None:
        """Called by Keras before it requests the batches of an epoch.

        Raises:
            InvalidArgumentError: there is no image, so Keras would end with an empty StopIteration.
        """
        if not len(self._plan.source):
            why = [mistake.text for mistake in self._plan.source.mistakes]
            raise InvalidArgumentError(f"There are no images to read. {why[0] if why else ''}".strip())
        self._stream.begin_epoch()

    def on_epoch_end(self) -> None:
        """Starts the next epoch.

        If Keras 3 calls it, the epoch stays while some of its batches were not handed out. After
        batches of `next`, the rest of the epoch gets a new order instead.

        Keras 2 (`tf_keras`) never continues an unfinished epoch, so there the next one always
        starts, and exactly one even if Keras' queue has read ahead.
        """
        self._stream.end_epoch(reader_asking())

    def reset(self) -> None:
        """Returns to the start of the current epoch."""
        self._stream.rewind()

    # Resuming

    def state_dict(self) -> dict[str, Any]:
        """Returns the position in the stream, as plain JSON, for `load_state_dict`.

        With `next`, this is the next batch. Keras' `fit` requests batches before it uses them, so
        there it is the start of the pass (see `ResumeCallback` for positions within a pass). The
        first call reads the sizes of the files, so that a change of the data can be detected. What
        `imageloom replay` needs to make the iterator again is in it, too: the folder's path and the
        arguments, but no functions and no arrays.
        """
        return {**self._stream.state(self._fingerprint()), "origin": self._origin()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues at the position of another iterator with the same data and arguments.

        The executor and the number of workers may differ. An iterator without a seed takes the seed
        of the state. The next pass of Keras then begins with the next batch of the state, even in
        the middle of an epoch. The state of one shard is valid for every shard. The number of
        shards may differ if the state is from the start of an epoch.

        Raises:
            StateMismatchError: the data, an argument or the seed differ, or the state is from a
                newer version; the message says what differs.
            InvalidArgumentError, ArgumentTypeError: `state` is not a state.
        """
        self._stream.load(state, self._fingerprint())

    def _fingerprint(self) -> dict[str, Any]:
        source = self._plan.source
        if self._data_fingerprint is None:
            self._data_fingerprint = plain(source.fingerprint())
        frozen: FrozenGenerator = self._generator._freeze()
        return {
            **self._data_fingerprint,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "balance": self.balance,
            **({"split": source.division} if source.division else {}),
            **plain(self._plan.arguments()),
            **described(frozen.options, frozen.statistics),
        }

    # Reports and previews

    def report(self) -> Report:
        """Where time was spent so far, by epoch and in all, and what would help most.

        `print` shows it as a sentence and tables, and so does a notebook.
        """
        options = self._generator._freeze().options
        nbytes = None if options.cache is not None else self._plan.decoded_nbytes
        return self._stream.supply.report(nbytes, None if options.debug else options.cores)

    def trace(self, path: str | os.PathLike[str]) -> Trace:
        """Writes a file with a timeline, which https://ui.perfetto.dev opens.

        It shows which worker did which stage of which batch when, and when the consumer waited. The
        file has the batches of the past minutes at once, and those that follow when the iterator is
        closed, at the end of the program, or at the end of a block::

            with train.trace("trace.json"):
                model.fit(train)

        Args:
            path: the file (Chrome's trace events, JSON); with the suffix .gz it is compressed.

        Raises:
            MissingDirectoryError: the folder of the file does not exist.
            InvalidArgumentError, ArgumentTypeError: `path` is not the name of a file.
        """
        return self._stream.supply.trace(path)

    @property
    def bad_images(self) -> list[BadImage]:
        """Unreadable files so far, and their replacements (`on_bad_image="replace"`)."""
        return self._stream.supply.bad_images

    def class_weights(self) -> dict[int, float]:
        """Weights for Keras' `fit(class_weight=...)`, by class number.

        A weight is samples / (classes * samples of the class).

        Raises:
            InvalidArgumentError: a sample does not have exactly one class.
        """
        return class_weights(self._plan.source)

    def preview(self, samples: int = 4, versions: int = 5, seed: int = 0) -> Image.Image:
        """Returns a sheet of original images and transformed versions, with the drawn parameters.

        A notebook shows it; `.save("sheet.png")` writes it. Each version is an image of a batch
        before normalisation. Hooks are called, in this process. The position does not change. The
        sheet marks files that cannot be read.

        Args:
            samples: number of rows, which show as many classes as possible.
            versions: number of transformed versions of each sample.
            seed: chooses the samples, and the transforms of each version. Successive seeds go
                through all samples.

        Returns:
            A `PIL.Image.Image`, whose `info["versions"]` lists all drawn parameters.

        Raises:
            InvalidArgumentError: there is no image; a number below 1; a `get_batch_function`.
            BadImageError: none of the samples can be read.
        """
        return self._views().sheet(samples, versions, seed)

    def _views(self) -> IteratorViews:
        return IteratorViews(self._plan, self._generator, self.batch_size)

    def __repr__(self) -> str:
        """The data set, the batches with their order, and the position."""
        text = self._views().summary(self._order, self._stream.cursor, self.is_shutdown)
        return f"<{type(self).__name__}: {text}>"

    def _repr_html_(self) -> str:
        """The display in a notebook: counts by class, and some images as they are stored."""
        return self._views().html(repr(self))

    # Closing

    def close(self) -> None:
        """Frees the memory, and ends the workers if no other iterator of the generator uses them.

        Batches that were handed out stay valid. Reading further batches is an IteratorClosedError.
        """
        self._stream.close()

    def shutdown(self, wait: bool = True) -> None:
        """Closes the iterator; `wait` has no effect and is accepted for compatibility with MLTK."""
        del wait
        self.close()

    @property
    def is_shutdown(self) -> bool:
        """Whether the iterator was closed."""
        return self._stream.supply.closed

    @property
    def is_running(self) -> bool:
        """Whether batches are computed in the background."""
        return self._stream.supply.running

    def __enter__(self) -> Self:
        """Returns the iterator, which is closed at the end of the block."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes the iterator."""
        self.close()

    def __reduce__(self) -> Any:
        """Raises, because an iterator cannot be pickled or copied."""
        raise ArgumentTypeError(
            "An iterator cannot be pickled or copied, because it uses workers. Copy its generator "
            "instead, and make a new iterator from the copy."
        )
