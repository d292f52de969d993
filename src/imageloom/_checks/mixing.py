"""Checks of `mixup` and `cutmix`."""

from __future__ import annotations

import math
from typing import Any

from imageloom._checks.values import check_number, in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError

__all__ = ["check_mixing"]


def check_mixing(options: Any) -> None:
    """Raises unless `mixup` is a concentration and `cutmix` a range of them, and both can be computed.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value that is not allowed, or a
            `get_batch_function` beside it.
    """
    if options.mixup is not None:
        check_number("mixup", options.mixup, " >= 0, or None")
        if isinstance(options.mixup, bool) or not 0 <= options.mixup < math.inf:
            raise InvalidArgumentError(
                "`mixup` must be the alpha of the weights' distribution, a number >= 0 (0.2 is usual), "
                f"or None; received {options.mixup!r}."
            )
    if options.cutmix is not None:
        _check_range(options.cutmix)
    if (options.mixup or options.cutmix) and options.get_batch_function is not None:
        raise InvalidArgumentError(
            "`mixup` and `cutmix` mix the images that the other steps have made, but "
            "`get_batch_function` makes whole batches instead: mix them there, or leave it out."
        )


def _check_range(cutmix: Any) -> None:
    bounds = cutmix if isinstance(cutmix, (tuple, list)) else (0, cutmix)
    allowed = (
        "`cutmix` must be a number in 0..1, the highest alpha of the weights' distribution (1.0 is "
        f"usual), or the lowest and the highest, or None; received {in_words(cutmix)}."
    )
    if len(bounds) != 2 or any(isinstance(bound, bool) for bound in bounds):
        raise ArgumentTypeError(allowed)
    for bound in bounds:
        check_number("cutmix", bound, " in 0..1, two of them, or None")
    if not 0 <= bounds[0] <= bounds[1] <= 1:
        raise InvalidArgumentError(allowed)
