"""Describes in a few words what further steps have drawn (see `_imaging.augment.steps.draw`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["STEP_KEYS", "steps_in_words"]

STEP_KEYS: Final = frozenset(
    {
        "random_crop", "perspective", "elastic", "rand_augment", "hue", "saturation", "grayscale",
        "blur", "jpeg_quality", "random_erasing",
    }
)  # fmt: skip


def steps_in_words(params: Mapping[str, Any]) -> Iterable[str]:
    """Describes each further step of a transform, in the order in which they are applied."""
    window = params.get("random_crop")
    if window is not None:
        yield f"crop {window['width']} x {window['height']}"
    if params.get("perspective") is not None:
        yield "perspective"
    if params.get("elastic") is not None:
        yield f"elastic {params['elastic']['scale']:.2f}"
    for operation in params.get("rand_augment") or ():
        yield _operation(*operation)
    if params.get("hue") is not None:
        yield f"hue {360 * params['hue']:+.0f}\N{DEGREE SIGN}"
    if params.get("saturation") is not None:
        yield f"saturation {params['saturation']:.2f}"
    if params.get("grayscale"):
        yield "grey"
    if params.get("blur") is not None:
        yield f"blur {max(params['blur']['sigma']):.2f}"
    if params.get("jpeg_quality") is not None:
        yield f"JPEG {params['jpeg_quality']}"
    hole = params.get("random_erasing")
    if hole is not None:
        yield f"erase {hole['width']} x {hole['height']}"


def _operation(name: str, *numbers: float) -> str:
    """An operation of `rand_augment`, such as "rand rotation 120"."""
    amounts = "/".join(f"{number:.2g}" if abs(number) < 10 else f"{number:.0f}" for number in numbers)
    return f"rand {name.removeprefix('random_').replace('_', ' ')} {amounts}".rstrip()
