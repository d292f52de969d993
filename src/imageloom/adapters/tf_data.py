"""An iterator's batches as a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from imageloom.errors import MissingDependencyError

__all__ = ["as_tensors", "tf_dataset"]


def tf_dataset(iterator: Any, example: Any) -> Any:
    """One pass over an iterator's batches for each iteration of the data set.

    Args:
        iterator: with `len`, `it[i]` and `on_epoch_end`, as Keras asks.
        example: a batch of any length, for the structure, shapes and dtypes of all.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingDependencyError(
            "`to_tf_dataset` needs TensorFlow, which is not installed: pip install tensorflow."
        ) from error

    def batches() -> Iterator[Any]:
        for number in range(len(iterator)):
            yield as_tensors(iterator[number])
        iterator.on_epoch_end()

    # The last batch of an epoch may be short, so the first side is open.
    signature = tf.nest.map_structure(
        lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), as_tensors(example)
    )
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(iterator)))


def as_tensors(batch: Any) -> Any:
    """A batch in the structure that TensorFlow takes: tuples for lists, which it would stack."""
    if isinstance(batch, (tuple, list)):
        return tuple(as_tensors(part) for part in batch)
    return np.asarray(batch)
