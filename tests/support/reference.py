"""Keras' generator, as the specification says to compare with it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from imageloom import ImageDataGenerator


@contextmanager
def quiet() -> Iterator[None]:
    """The reference uses deprecated names of its own dependencies; its users see that, we need not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def keras_generator(**options: Any) -> Any:
    """Keras' generator. Its fill mode "wrap" is SciPy's, which is not what its documents draw."""
    from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator as KerasGenerator

    if options.get("fill_mode") == "wrap":
        options["fill_mode"] = "grid-wrap"
    return KerasGenerator(**options)


def both_generators(**options: Any) -> tuple[ImageDataGenerator, Any]:
    """Ours, computing in the foreground, and Keras', with the same options."""
    return ImageDataGenerator(executor="serial", **options), keras_generator(**options)
