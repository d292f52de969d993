"""`smart_resize` of tensors, which Keras computes with the framework that it runs on."""

from __future__ import annotations

from typing import Any

__all__ = ["resize_tensor"]


def resize_tensor(x: Any, size: Any, interpolation: str, data_format: str, **kwargs: Any) -> Any:
    """Calls Keras' function of the same arguments, so that tensors stay tensors and gradients flow.

    It imports Keras, which is loaded already where its tensors come from.
    """
    from keras.preprocessing import image

    return image.smart_resize(x, size, interpolation, data_format, **kwargs)
