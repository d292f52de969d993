"""Changes hue and saturation, and makes images grey, as Keras' layers; images have values of 0..255."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import InvalidArgumentError
from imageloom._imaging.opencv import cv2

__all__ = ["GREY", "change_colours", "coloured_part", "draw_hue", "draw_saturation", "make_grey"]

_EPSILON: Final = 1e-7  # Keras'
GREY: Final = np.array([[0.2989, 0.5870, 0.1140]] * 3)  # Keras' weights of red, green and blue


def draw_hue(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Draws by which share of a turn the hue changes."""
    sign = -1.0 if rng.random() > 0.5 else 1.0
    return float(sign * rng.uniform(*bounds) * 0.5)


def draw_saturation(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Draws the factor of the saturation; 0.5 of Keras' factor is 1 here."""
    factor = rng.uniform(*bounds)
    return float(factor / (1 - factor + _EPSILON))


def coloured_part(x: NDArray[np.float32], step: str) -> NDArray[np.float32] | None:
    """The three colours of an image, without the fourth channel; None for a grey one.

    Raises:
        InvalidArgumentError: The image has another number of channels.
    """
    channels = x.shape[2]
    if channels == 1:
        return None
    if channels not in (3, 4):
        raise InvalidArgumentError(
            f"Unsupported channel number: {step} needs images with 1, 3 or 4 channels; received "
            f"{channels} channels. Leave out this option."
        )
    return x[..., :3]


def _with_colours(x: NDArray[np.float32], colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return colours if x.shape[2] == 3 else np.concatenate((colours, x[..., 3:]), axis=2)


def change_colours(
    x: NDArray[np.float32], hue: float | None, saturation: float | None
) -> NDArray[np.float32]:
    """Turns the hue by a share of a turn, and multiplies the saturation; grey images stay.

    Args:
        x: the image (height, width, channels).
        hue: the share of a turn; None for no change.
        saturation: the factor; None for no change.
    """
    colours: Any = coloured_part(x, "a change of hue or saturation")
    if colours is None:
        return x
    hsv: Any = cv2.cvtColor(np.clip(colours, 0, 255), cv2.COLOR_RGB2HSV)  # in 0..360, 0..1, 0..255
    if hue is not None:
        turned: Any = cv2.extractChannel(hsv, 0)
        # OpenCV takes off a whole turn, but adds none.
        cv2.insertChannel(turned + np.float32(360 * (hue % 1)), hsv, 0)
    if saturation is not None:
        depth: Any = cv2.extractChannel(hsv, 1)
        cv2.insertChannel(np.minimum(depth * np.float32(saturation), 1), hsv, 1)
    return _with_colours(x, cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def make_grey(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gives all colours of an image their grey value."""
    colours = coloured_part(x, "`grayscale`")
    if colours is None:
        return x
    grey: Any = cv2.transform(np.ascontiguousarray(colours), GREY)
    return _with_colours(x, grey)
