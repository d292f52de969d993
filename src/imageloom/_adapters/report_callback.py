"""A Keras callback that logs how fast the batches came. This module imports Keras."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

import keras

from imageloom._errors import ArgumentTypeError
from imageloom._public import public

__all__ = ["ReportCallback"]


class MeasuredReport(Protocol):
    """The part of a report that the callback uses."""

    @property
    def images(self) -> int: ...
    @property
    def timed_images(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def waited(self) -> float: ...


class MeasuredIterator(Protocol):
    """The part of an iterator that the callback uses."""

    def report(self) -> MeasuredReport: ...


@public
class ReportCallback(keras.callbacks.Callback):
    """Logs how fast the batches of an iterator came, at the end of each epoch of `fit`.

    The logs are those that Keras' progress bar, `History`, `TensorBoard`, `CSVLogger` and callbacks of
    other packages, such as W&B's, show::

        train = generator.flow_from_directory("photos", seed=1)
        speed = imageloom.ReportCallback(train)
        history = model.fit(train, epochs=20, callbacks=[speed, keras.callbacks.CSVLogger("log.csv")])
        history.history["images_per_second"], history.history["waiting_share"]

    `images_per_second` is the number of images that the model received in a second; `waiting_share`
    is the share of the time in which it waited for them, 0..1. The time for validation does not
    count, nor does the time until the iterator's very first batch. The callback moves to the front of
    Keras' list, because callbacks see the logs of those before them only.

    Attributes:
        iterator: the iterator that is passed to `fit`.
    """

    def __init__(self, iterator: MeasuredIterator) -> None:
        """Measures nothing before `fit` begins.

        Raises:
            ArgumentTypeError: `iterator` is not an iterator of this library.
        """
        super().__init__()
        if not callable(getattr(iterator, "report", None)):
            raise ArgumentTypeError(
                "`iterator` must be the iterator that is passed to `fit`, made by a generator of "
                f"imageloom; received {iterator!r}."
            )
        self.iterator = iterator
        self._before: MeasuredReport | None = None
        self._begun = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Moves to the front of the callbacks."""
        del logs
        caller = sys._getframe(1).f_locals.get("self")
        callbacks = getattr(caller, "callbacks", None)
        if isinstance(callbacks, list) and self in callbacks:
            callbacks.remove(self)
            callbacks.insert(0, self)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes what was measured before the epoch."""
        del epoch, logs
        self._before = self.iterator.report()
        self._begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds `images_per_second` and `waiting_share` to the logs."""
        del epoch
        if logs is None or self._before is None:
            return
        before, after = self._before, self.iterator.report()
        seconds, images = after.seconds - before.seconds, after.timed_images - before.timed_images
        if images <= 0:  # there was no batch but the very first one
            seconds, images = time.perf_counter() - self._begun, after.images - before.images
        waited = after.waited - before.waited
        logs["images_per_second"] = images / seconds if seconds > 0 else 0.0
        logs["waiting_share"] = min(1.0, waited / seconds) if seconds > 0 else 0.0

    # What Keras 2 (`tf_keras`) asks of a callback, beside the above

    def _implements_train_batch_hooks(self) -> bool:
        return False

    def _implements_test_batch_hooks(self) -> bool:
        return False

    def _implements_predict_batch_hooks(self) -> bool:
        return False
