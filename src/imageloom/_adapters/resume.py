"""A Keras callback that saves an iterator's position in a file. This module imports Keras."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import keras

from imageloom._checks.keywords import explained
from imageloom._checks.paths import check_path
from imageloom._checks.values import check_int, in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._public import public
from imageloom._storage.atomic import drop_drafts, replace_file
from imageloom._storage.refusals import telling

__all__ = ["ResumeCallback"]

_END: Final = 2**62  # of epochs
# What reading bytes of any kind may raise; the errors of JSON and of the decoder are ValueErrors.
_UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


class ResumableIterator(Protocol):
    """The part of an iterator that the callback uses."""

    @property
    def total_batches_seen(self) -> int: ...
    @property
    def read_in_order(self) -> bool: ...
    def __len__(self) -> int: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


@public
class ResumeCallback(keras.callbacks.Callback):
    """Saves the position of the training in the stream of batches, and restores it.

    The constructor restores the position, before `fit` reads its first batch. The model is not
    restored; use `keras.callbacks.BackupAndRestore`, for example. A batch counts once the model was
    trained on it; the backend reads some batches ahead::

        train = generator.flow_from_directory("photos", seed=1)
        resume = imageloom.ResumeCallback(train, "position.json")
        backup = keras.callbacks.BackupAndRestore("backup")
        model.fit(train, epochs=20, callbacks=[backup, resume])

    If the training stopped in the middle of an epoch, the first pass begins with the next batch of
    the stream, and each later pass begins where the previous one ends.

    Attributes:
        epoch: number of finished epochs, as saved; 0 at the start.
        position: number of batches that the model was trained on.
    """

    @explained("ResumeCallback")
    def __init__(
        self,
        iterator: ResumableIterator,
        path: str | os.PathLike[str],
        save_freq: str | int = "epoch",
    ) -> None:
        """Restores the position if the file exists.

        Args:
            iterator: the iterator that is passed to `fit`; its position changes.
            path: the JSON file, which is replaced atomically.
            save_freq: `"epoch"`, or a number of batches after which to save within epochs as well.
                This needs `fit(shuffle=False)`, because a position does not describe a shuffled
                pass.

        Raises:
            InvalidArgumentError, ArgumentTypeError: an argument is not allowed, or the file is damaged.
            StateMismatchError: the file belongs to another stream.
        """
        super().__init__()
        if not all(hasattr(iterator, name) for name in ("state_dict", "load_state_dict")):
            raise ArgumentTypeError(
                f"`iterator` must be an iterator of this library; received {in_words(iterator)}."
            )
        path = check_path("path", path, " of a JSON file")
        if os.path.isdir(path):
            raise InvalidArgumentError(f"`path` must be the path of a file; {path!r} is a folder.")
        if save_freq != "epoch":
            check_int("save_freq", save_freq, 1, also='"epoch"')
        self._iterator = iterator
        self._path = Path(path)
        self._every = None if save_freq == "epoch" else save_freq
        self.epoch = 0
        if self._path.exists():
            drop_drafts(self._path.parent)
            state, self.epoch = _saved(self._path)
            iterator.load_state_dict(state)
        self.position = self._start = iterator.total_batches_seen

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts to count batches at the iterator's position."""
        del logs
        self.position = self._start = self._iterator.total_batches_seen

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Stores the number of the epoch."""
        del logs
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts a batch, and saves the position if it is due."""
        del logs
        self.position += 1
        if self._every is not None and (batch + 1) % int(self._every) == 0:
            self._save()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Saves the position at the end of a pass."""
        del logs
        self.epoch = epoch + 1
        self._save()

    def _save(self) -> None:
        within = (self.position - self._start) % max(1, len(self._iterator)) != 0
        if within and not self._iterator.read_in_order:
            raise InvalidArgumentError(
                "Could not save the position within a pass, because Keras shuffles its batches: pass "
                'shuffle=False to fit, or pass save_freq="epoch" to this callback and no '
                "steps_per_epoch to fit."
            )
        state = {**self._iterator.state_dict(), "position": self.position}
        with telling(f"Could not save the position in {str(self._path)!r}"):
            replace_file(self._path, _written(state, self.epoch), durable=True)


def _written(state: Mapping[str, Any], epoch: int) -> bytes:
    content = json.dumps({"epoch": epoch, "iterator": state})
    checksum = zlib.crc32(content.encode())
    return f'{content[:-1]}, "checksum": {checksum}}}'.encode()


def _saved(path: Path) -> tuple[Mapping[str, Any], int]:
    """Reads the state of the iterator and the number of finished epochs from a file.

    Files of release 0.1 have no checksum.
    """
    try:
        content = path.read_bytes()
        saved = json.loads(content)
        state, epoch = saved["iterator"], saved["epoch"]
        checksum = saved.get("checksum")
        if checksum is not None and content != _written(state, epoch):
            raise ValueError("the checksum is wrong")
        if not isinstance(state, dict) or type(epoch) is not int or not 0 <= epoch < _END:
            raise TypeError("the state or the number of epochs is of another kind")
    except _UNREADABLE as error:
        raise InvalidArgumentError(
            f"{str(path)!r} is not a file that `ResumeCallback` has written, or it is damaged. Delete "
            "it to start from the first batch, or name another file."
        ) from error
    return state, epoch
