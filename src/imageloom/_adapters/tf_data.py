"""An iterator's batches as a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from imageloom._adapters.keras import for_keras
from imageloom._errors import MissingDependencyError

__all__ = ["tf_dataset"]


def tf_dataset(one_pass: Callable[[], Iterator[Any]], length: Callable[[], int], example: Any) -> Any:
    """Makes a data set; each iteration over it reads one epoch of an iterator.

    Args:
        one_pass: reads the batches of an epoch.
        length: returns the number of batches in an epoch.
        example: a batch of any length, with the structure, shapes and dtypes of all batches.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingDependencyError(
            "`to_tf_dataset` needs TensorFlow, which is not installed: pip install tensorflow."
        ) from error

    def spec(part: Any) -> Any:
        array = np.asarray(part)
        # The first dimension is unknown, because the last batch of an epoch may be shorter.
        return tf.TensorSpec((None, *array.shape[1:]) if array.shape else (), array.dtype)

    def batches() -> Iterator[Any]:
        return map(for_keras, one_pass())

    signature = tf.nest.map_structure(spec, for_keras(example))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(length()))
