"""A Keras callback that notes the steps whose loss jumped. This module imports Keras."""

from __future__ import annotations

import json
import math
import os
from collections import deque
from pathlib import Path
from statistics import median
from typing import Any, Final, Protocol

import keras

from imageloom._checks.keywords import explained
from imageloom._checks.paths import check_path
from imageloom._checks.values import check_int, check_number, in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._public import public
from imageloom._storage.atomic import replace_file
from imageloom._storage.refusals import telling

__all__ = ["LossJumpCallback"]

_FORMAT: Final = "imageloom-loss-jumps"
_LEAST: Final = 5  # losses, before one can be unusual
_DEVIATIONS: Final = 5  # from the median, so that a loss near 0 does not jump by its noise
_MOST: Final = 1000  # jumps in the file


class ReplayableIterator(Protocol):
    """The part of an iterator that the callback uses."""

    def state_dict(self) -> dict[str, Any]: ...
    def _requests(self) -> int: ...
    def _requested(self, request: int) -> int | None: ...
    def _next_request(self, request: int) -> int: ...
    def _samples_at(self, position: int) -> list[Any]: ...


@public
class LossJumpCallback(keras.callbacks.Callback):
    """Notes the steps of `fit` whose loss jumped, with the positions and files of their batches.

    `imageloom replay` shows the pictures of such a step, with what was drawn for them::

        train = generator.flow_from_directory("photos", seed=1)
        jumps = imageloom.LossJumpCallback(train, "jumps.json")
        model.fit(train, epochs=20, callbacks=[jumps])
        jumps.jumps[0]["position"]  # for train.replay, or: imageloom replay jumps.json --step ...

    A loss has jumped if it is not finite, or more than `factor` times the median of the losses before
    it. It is the loss of the batch alone, which is computed from the mean that Keras gives to
    callbacks. Keras asks for the batches of an epoch in an order of its own; the positions are those
    of the batches that it trained on. With `steps_per_execution`, a jump has all steps of a call.
    Keras 2 (`tf_keras`) with `steps_per_epoch` goes on requesting batches of an epoch that has ended;
    positions of the next one may then be off by the few that it drops.

    Attributes:
        jumps: a dictionary for each jump, the first one first: "epoch" and "batch" as Keras counts
            them, "step" (batches trained so far), "loss", "usual" (the median), "position" (for
            `it.batch` and `it.replay`), and "files" (or numbers of rows). With several batches in a
            call, "position" and "files" are of the first one, and "positions" has all.
    """

    @explained("LossJumpCallback")
    def __init__(
        self,
        iterator: ReplayableIterator,
        path: str | os.PathLike[str] | None = None,
        factor: float = 3.0,
        window: int = 50,
    ) -> None:
        """Watches nothing before `fit` begins.

        Args:
            iterator: the iterator that is passed to `fit`.
            path: a JSON file for the jumps and the iterator's state, which is written after each
                jump; None writes none.
            factor: how many times the usual loss is a jump; above 1.
            window: number of batches before, whose median is the usual loss.

        Raises:
            InvalidArgumentError, ArgumentTypeError: an argument is not allowed.
        """
        super().__init__()
        if not all(hasattr(iterator, name) for name in ("_requested", "state_dict")):
            raise ArgumentTypeError(
                "`iterator` must be the iterator that is passed to `fit`, made by a generator of "
                f"imageloom; received {in_words(iterator)}."
            )
        check_number("factor", factor)
        if factor <= 1:
            raise InvalidArgumentError(f"`factor` must be above 1; received {factor!r}.")
        check_int("window", window, _LEAST)
        self._path = None
        if path is not None:
            self._path = Path(check_path("path", path, " of a JSON file, or None"))
        self._iterator = iterator
        self._factor = factor
        self._losses: deque[float] = deque(maxlen=window)
        self.jumps: list[dict[str, Any]] = []
        self._epoch = self._step = 0
        self._first = 0  # the request of the epoch's first batch
        self._trained, self._rows, self._sum = 0, 0, 0.0  # of this epoch

    def on_train_begin(self, logs: Any = None) -> None:
        """Begins to count: what was requested before was not for training."""
        del logs
        self._trained, self._first = 0, self._iterator._requests()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Finds out which request the epoch begins with."""
        del logs
        # With `steps_per_epoch`, Keras 3 has requested some batches of this epoch already, and Keras 2
        # drops what it had requested.
        self._first = self._iterator._next_request(self._first + self._trained)
        self._epoch, self._trained, self._rows, self._sum = epoch, 0, 0, 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Looks at the loss of the step, or of the steps, that ended."""
        mean = None if logs is None else logs.get("loss")
        steps = range(self._trained, batch + 1)
        self._trained = batch + 1
        self._step += len(steps)
        positions = [self._iterator._requested(self._first + step) for step in steps]
        known = [position for position in positions if position is not None]
        if mean is None or not known or math.isnan(self._sum):
            return
        samples = [self._iterator._samples_at(position) for position in known]
        rows = sum(map(len, samples))
        total = float(mean) * (self._rows + rows)  # Keras weights batches by their samples
        loss = (total - self._sum) / max(1, rows)
        self._rows, self._sum = self._rows + rows, total if math.isfinite(total) else math.nan
        if self._jumped(loss):
            self._note(loss, known, samples, batch)
        else:
            self._losses.append(loss)

    def _jumped(self, loss: float) -> bool:
        if not math.isfinite(loss):
            return True
        if len(self._losses) < _LEAST:
            return False
        usual = median(self._losses)
        spread = median(abs(each - usual) for each in self._losses)
        return loss - usual > max((self._factor - 1) * abs(usual), _DEVIATIONS * spread)

    def _note(self, loss: float, positions: list[int], samples: list[list[Any]], batch: int) -> None:
        several = {"positions": positions} if len(positions) > 1 else {}
        self.jumps.append(
            {
                "epoch": self._epoch,
                "batch": batch,
                "step": self._step,
                "loss": loss if math.isfinite(loss) else str(loss),
                "usual": median(self._losses) if self._losses else None,
                "position": positions[0],
                **several,
                "files": samples[0],
            }
        )
        if self._path is None:
            return
        saved = {
            "format": _FORMAT,
            "jumps": self.jumps[-_MOST:],
            "iterator": self._iterator.state_dict(),
        }
        with telling(f"Could not save the jumps of the loss in {str(self._path)!r}"):
            replace_file(self._path, json.dumps(saved, indent=1).encode())

    # What Keras 2 (`tf_keras`) asks of a callback, beside the above

    def _implements_train_batch_hooks(self) -> bool:
        return True

    def _implements_test_batch_hooks(self) -> bool:
        return False

    def _implements_predict_batch_hooks(self) -> bool:
        return False
