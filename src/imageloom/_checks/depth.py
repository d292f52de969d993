"""How many channels and which values images have: `color_mode` and `depth`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from imageloom._checks.values import as_dtype, check_choice, is_floating
from imageloom._errors import InvalidArgumentError

__all__ = ["COLOUR_CHANNELS", "channels_of", "check_color_mode", "check_depth"]

COLOUR_CHANNELS: Final = {"rgb": 3, "rgba": 4, "grayscale": 1}
_OF_BYTES: Final = ("brightness_range", "contrast_range", "noise")


def check_color_mode(color_mode: Any) -> None:
    """Raises unless `color_mode` is the name of one, or a number of channels.

    Raises:
        InvalidArgumentError: It is something else.
    """
    if isinstance(color_mode, int) and not isinstance(color_mode, bool) and color_mode > 0:
        return
    also = "a number of channels, such as 5"
    check_choice("color_mode", color_mode, tuple(COLOUR_CHANNELS), called="color mode", also=also)


def channels_of(color_mode: str | int) -> int:
    """The number of channels of images in a colour mode."""
    return color_mode if isinstance(color_mode, int) else COLOUR_CHANNELS[color_mode]


def check_depth(options: Any, colouring: Sequence[str]) -> None:
    """Raises unless the other options suit `depth`.

    Args:
        options: the generator's options.
        colouring: the names of the options of further steps that change colours.

    Raises:
        InvalidArgumentError: A step of them computes with bytes, which would spoil values beyond 255.
    """
    check_choice("depth", options.depth, ("keras", "native"))
    if options.depth == "keras":
        return
    given = [name for name in (*_OF_BYTES, *colouring) if getattr(options, name)]
    if given:
        named = " and ".join(f"`{name}`" for name in given)
        raise InvalidArgumentError(
            f'depth="native" keeps values beyond 255, but {named} compute with 256 levels, as in '
            "Keras: leave them out, or change colours in a `preprocessing_function`."
        )
    if options.finish == "device":
        raise InvalidArgumentError(
            'depth="native" keeps values beyond 255, but finish="device" sends images as bytes: pass '
            'finish="host".'
        )
    dtype = as_dtype(options.dtype)
    if not is_floating(dtype) and dtype.itemsize == 1:
        raise InvalidArgumentError(
            f'depth="native" keeps values beyond 255, which dtype="{options.dtype}" cannot hold: pass '
            'dtype="float32" or "uint16".'
        )
