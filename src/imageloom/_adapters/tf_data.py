"""An iterator's batches as a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from imageloom._adapters.keras import for_keras
from imageloom._errors import MissingDependencyError

__all__ = ["tf_dataset"]


def tf_dataset(one_pass: Callable[[], Iterator[Any]], length: Callable[[], int], example: Any) -> Any:
    """One pass over an iterator's batches for each iteration of the data set.

    Args:
        one_pass: reads the batches of an epoch.
        length: the number of batches in an epoch.
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

    def spec(part: Any) -> Any:
        array = np.asarray(part)
        # The last batch of an epoch may be short, so the first side is open.
        return tf.TensorSpec((None, *array.shape[1:]) if array.shape else (), array.dtype)

    def batches() -> Iterator[Any]:
        return map(for_keras, one_pass())

    signature = tf.nest.map_structure(spec, for_keras(example))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(length()))
