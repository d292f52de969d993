"""Sends the answers of a worker, and reads them, also if a batch of the user's cannot be pickled.

Most answers are small records. But a function of the user that computes whole batches may return
anything.
"""

from __future__ import annotations

import pickle
from typing import Final

from imageloom._errors import WorkerError
from imageloom._executors.failed import Failed
from imageloom._executors.failures import as_message
from imageloom._executors.workers.line import Line
from imageloom._executors.workers.messages import Answer, Done

__all__ = ["send_answer", "unpickled_answer"]

_REMEDY: Final = 'Return arrays, or pass executor="threads".'


def send_answer(line: Line, answer: Done | Failed) -> None:
    """Sends the parent what became of a batch.

    Raises:
        OSError: The connection has ended.
    """
    try:
        line.send(answer)
    except OSError:
        raise
    except Exception as error:  # the user's own classes may raise anything
        line.send(_failed(error, "be sent from a worker process to the program"))


def unpickled_answer(pickled: bytes | bytearray) -> Answer:
    """What a worker has sent; a failure of its batch if that cannot be unpickled."""
    try:
        answer: Answer = pickle.loads(pickled)
    except Exception as error:
        return _failed(error, "be unpickled in the program, which has got it from a worker process")
    return answer


def _failed(error: Exception, what: str) -> Failed:
    try:
        raise WorkerError(
            "What `get_batch_function` or `_get_batches_of_transformed_samples` has returned cannot "
            f"{what}: {type(error).__name__}: {error}. {_REMEDY}"
        ) from error
    except WorkerError as told:
        return as_message(told)
