"""Which options a device cannot compute, with `finish="device"`."""

from __future__ import annotations

import re
from typing import Any, Final

from imageloom._errors import InvalidArgumentError

__all__ = ["check_can_finish", "is_known_scaling"]

# Keras' functions, which are arithmetic.
_SCALING: Final = re.compile(r"(?:keras|tf_keras)\.(?:\w+\.)*applications\.\w+")
_OF_THE_USER: Final = ("preprocessing_function", "get_batch_function")


def is_known_scaling(function: Any) -> bool:
    """Whether a function has the name of a `preprocess_input` of Keras, or stands in for one."""
    if hasattr(function, "floatx") and hasattr(function, "mode"):
        return True
    named = getattr(function, "__name__", "") == "preprocess_input"
    return named and _SCALING.fullmatch(str(getattr(function, "__module__", ""))) is not None


def check_can_finish(options: Any) -> None:
    """Raises if an option has a step that only the host can take.

    Raises:
        InvalidArgumentError: it names all such options.
    """
    named = [
        name
        for name in _OF_THE_USER
        if getattr(options, name) is not None and not is_known_scaling(getattr(options, name))
    ]
    if options.noise:
        named.append("noise")
    named += [name for name in ("mixup", "cutmix") if getattr(options, name)]
    if options.interpolation_order > 1:
        named.append(f"interpolation_order={options.interpolation_order}")
    if options.save_to_dir is not None:
        named.append("save_to_dir")
    named += options.used_steps
    if named:
        listed = " and ".join(f"`{name}`" for name in named)
        raise InvalidArgumentError(
            f'finish="device" cannot compute {listed} on a device: leave out '
            f'{"this argument" if len(named) == 1 else "these arguments"}, or pass finish="host". '
            "`noaug_preprocessing_function` may stay: it runs in the workers, before anything random."
        )
