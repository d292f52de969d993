"""Describes in a few words how a drawn transform changes the picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from imageloom._preview.step_captions import STEP_KEYS, steps_in_words

__all__ = ["conventions", "phrases"]

_KNOWN: Final = frozenset(
    {
        "theta", "tx", "ty", "shear", "zx", "zy", "channel_shift_intensity", "flip_horizontal",
        "flip_vertical", "brightness", "contrast", "noise", "mixup", "cutmix", "functions",
    }
)  # fmt: skip
# The meaning of signs and pairs of numbers, by the first word of a phrase.
_CONVENTIONS: Final = {
    "rotate": "rotate: degrees, anticlockwise",
    "shift": "shift: pixels to the right, down",
    "shear": "shear: degrees, the lower part to the right",
    "zoom": "zoom: width, height, above 1 enlarges",
    "channels": "channels: grey levels added",
    "crop": "crop: width x height of the window, in pixels of the image",
    "rand": "rand: operations of rand_augment, with Keras' numbers",
    "saturation": "saturation: a factor, 1 changes nothing",
    "blur": "blur: standard deviation in pixels",
    "erase": "erase: width x height in pixels",
}


def phrases(params: Mapping[str, Any] | None) -> list[str]:
    """Describes each step of a transform that changes the picture.

    Keras' parameters say where each point of the result is read: a shift of 3 pixels moves the
    picture by -3 pixels, and a zoom of 0.5 doubles it. The phrases describe the visible change.

    Args:
        params: the parameters, as from `get_random_transform`; None if there are none.
    """
    if params is None:
        return ["no random transform"]
    found = [*_moves(params), *_looks(params), *steps_in_words(params)]
    # A user's subclass may draw parameters of its own.
    found += [
        f"{key} {_short(value)}" for key, value in params.items() if key not in _KNOWN | STEP_KEYS
    ]
    found += params.get("functions", ())  # what compositions of other libraries have done
    return found or ["unchanged"]


def _moves(params: Mapping[str, Any]) -> Iterable[str]:
    """Describes the geometry, in the order in which it is applied to the picture."""
    if params.get("theta"):
        yield f"rotate {params['theta']:+.1f}\N{DEGREE SIGN}"
    right, down = -(params.get("tx") or 0), -(params.get("ty") or 0)
    if right or down:
        yield f"shift {_signed(right)}, {_signed(down)}"
    if params.get("shear"):
        yield f"shear {params['shear']:+.1f}\N{DEGREE SIGN}"
    wide, high = params.get("zx", 1), params.get("zy", 1)
    if wide != 1 or high != 1:
        yield f"zoom {_inverse(wide)}, {_inverse(high)}"


def _looks(params: Mapping[str, Any]) -> Iterable[str]:
    if params.get("channel_shift_intensity") is not None:
        yield f"channels {params['channel_shift_intensity']:+.0f}"
    flips = [way for way in ("horizontal", "vertical") if params.get(f"flip_{way}")]
    if flips:
        yield "flip both" if len(flips) == 2 else f"flip {flips[0]}"
    for name in ("brightness", "contrast"):
        if params.get(name) is not None:
            yield f"{name} {params[name]:.2f}"
    if params.get("noise") is not None:
        yield f"{getattr(params['noise'], 'name', params['noise'])} noise"
    for way in ("mixup", "cutmix"):
        if params.get(way) is not None:
            share, _, name = str(params[way]).partition(" of ")
            yield f"{way} {share} of {name.replace(chr(92), '/').rpartition('/')[2]}"


def conventions(used: Iterable[str]) -> list[str]:
    """Explains the numbers in some phrases."""
    words = {phrase.split()[0] for phrase in used}
    return [text for word, text in _CONVENTIONS.items() if word in words]


def _signed(pixels: float) -> str:
    return f"{round(pixels):+d}" if round(pixels) else "0"


def _inverse(factor: float) -> str:
    return f"{1 / factor:.2f}" if factor else "inf"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)[:24]
