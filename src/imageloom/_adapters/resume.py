"""A Keras callback that keeps an iterator's position in a file. Importing this module imports Keras."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import keras

from imageloom._checks import check_int
from imageloom._errors import InvalidArgumentError
from imageloom._public import public
from imageloom._storage.atomic import replace_file

__all__ = ["ResumeCallback"]


class ResumableIterator(Protocol):
    """What the callback needs of an iterator; all iterators of this library have it."""

    @property
    def total_batches_seen(self) -> int: ...
    @property
    def read_in_order(self) -> bool: ...
    def __len__(self) -> int: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


@public
class ResumeCallback(keras.callbacks.Callback):
    """Saves where the training stands in the stream of batches, and goes on from there.

    The position is restored when the callback is made, before `fit` reads its first batch; the model is
    restored by others, such as `keras.callbacks.BackupAndRestore`. Batches are counted when the model
    has been trained on them, not when the backend reads them, which is some batches ahead::

        train = generator.flow_from_directory("photos", seed=1)
        resume = imageloom.ResumeCallback(train, "position.json")
        backup = keras.callbacks.BackupAndRestore("backup")
        model.fit(train, epochs=20, callbacks=[backup, resume])

    After a stop in the middle of an epoch the first pass begins with the batch that was to come, and
    the passes after it where that one ends: the stream goes on as if nothing had happened.

    Attributes:
        epoch: epochs finished so far, as saved; 0 at the start.
        position: batches trained on so far.
    """

    def __init__(
        self,
        iterator: ResumableIterator,
        path: str | os.PathLike[str],
        save_freq: str | int = "epoch",
    ) -> None:
        """Restores the position if the file is there.

        Args:
            iterator: the one that is given to `fit`; its position moves.
            path: the file, JSON; replaced in one step.
            save_freq: `"epoch"`, or a number of batches after which to save within epochs too. That
                needs `fit(shuffle=False)`: else Keras asks for an epoch's batches in an order that a
                position does not tell.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a `save_freq` that is neither.
            StateMismatchError: the file is of another stream.
        """
        super().__init__()
        if save_freq != "epoch":
            check_int("save_freq", save_freq, 1, also='"epoch"')
        self._iterator = iterator
        self._path = Path(path)
        self._every = None if save_freq == "epoch" else save_freq
        self.epoch = 0
        if self._path.exists():
            saved = json.loads(self._path.read_text(encoding="utf-8"))
            iterator.load_state_dict(saved["iterator"])
            self.epoch = int(saved["epoch"])
        self.position = self._start = iterator.total_batches_seen

    def on_train_begin(self, logs: Any = None) -> None:
        """Training begins where the iterator stands; from then on batches are counted here."""
        del logs
        self.position = self._start = self._iterator.total_batches_seen

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        del logs
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """One batch more."""
        del logs
        self.position += 1
        if self._every is not None and (batch + 1) % int(self._every) == 0:
            self._save()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """The pass is over."""
        del logs
        self.epoch = epoch + 1
        self._save()

    def _save(self) -> None:
        within = (self.position - self._start) % max(1, len(self._iterator)) != 0
        if within and not self._iterator.read_in_order:
            raise InvalidArgumentError(
                "Saving the position within a pass over the data needs fit(shuffle=False): Keras asks "
                'for the batches of this one in an order of its own. Or pass save_freq="epoch" to this '
                "callback, and no steps_per_epoch to fit."
            )
        state = {**self._iterator.state_dict(), "position": self.position}
        content = json.dumps({"epoch": self.epoch, "iterator": state})
        replace_file(self._path, content.encode(), durable=True)
