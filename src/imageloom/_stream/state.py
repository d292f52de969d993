"""The state of an iterator as plain JSON: position, seed, and a description of the data.

An iterator with any executor and any number of workers may load a state, in another process and at
another time. An iterator over other data or with other arguments has another stream, so it raises
an error that names the differences. Hooks cannot be compared and are left out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from imageloom._errors import ArgumentTypeError, InvalidArgumentError, StateMismatchError
from imageloom._imaging.normalise import FeatureStatistics
from imageloom._options import GeneratorOptions

__all__ = ["IRRELEVANT_OPTIONS", "checked_state", "described", "make_state", "plain"]

_FORMAT: Final = "imageloom-state"
_VERSION: Final = 1
_END: Final = 2**62  # of positions; no training reads so many batches
# What `fit` finds, and the option without which it changes nothing.
_FITTED: Final = {
    "mean": "featurewise_center",
    "std": "featurewise_std_normalization",
    "zca_whitening_matrix": "zca_whitening",
}
# Options that do not change any value of the stream, or that are compared in another way.
IRRELEVANT_OPTIONS: Final = frozenset(
    {
        "batch_size",  # the batch size of the iterator is compared
        "batch_timeout",
        "cache",
        "cache_limit",
        "cores",
        "debug",
        "disable_gpu_in_subprocesses",
        "executor",
        "finish",  # who computes them
        "fold",  # like the three below, changes the data, which are compared
        "get_batch_function",
        "groups",
        "max_batches_pending",
        "max_samples_per_class",  # changes the data, which are compared
        "noaug_preprocessing_function",
        "on_bad_image",
        "preprocessing_function",
        "save_format",
        "save_prefix",
        "save_to_dir",
        "split",
        "split_seed",
        "validation_split",  # changes the data, which are compared
    }
)


def described(options: GeneratorOptions, statistics: FeatureStatistics) -> dict[str, Any]:
    """Returns the arguments of a generator that change values of the stream."""
    arguments = {
        field.name: plain(getattr(options, field.name))
        for field in dataclasses.fields(options)
        if field.name not in IRRELEVANT_OPTIONS
    }
    for name in _FITTED:
        found = getattr(statistics, name)
        digest = None if found is None else hashlib.sha256(found.tobytes()).hexdigest()[:16]
        arguments[f"fitted {name}"] = digest
    return _without_unused(arguments)


def _without_unused(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """The fingerprint without statistics that no option uses, as a file for `fit` may have them."""
    unused = {
        f"fitted {name}"
        for name, option in _FITTED.items()
        if not _differ(fingerprint.get(option), False)
    }
    return {key: None if key in unused else value for key, value in fingerprint.items()}


def plain(value: Any) -> Any:
    """Returns a value as JSON would return it."""
    return json.loads(json.dumps(value, default=_plain_object))


def _plain_object(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return str(value)


def make_state(
    position: int, seed: int, shards: int, fingerprint: Mapping[str, Any], shift: int = 0
) -> dict[str, Any]:
    """Returns the state of a stream or of one of its shards; JSON does not change it.

    `shift` is not 0 if the program has assigned attributes that move positions (see `order`).
    """
    shifted = {"shift": shift} if shift else {}
    return {
        **shifted,
        "format": _FORMAT,
        "version": _VERSION,
        "position": position,
        "seed": seed,
        "shards": shards,
        "fingerprint": dict(fingerprint),
    }


def checked_state(state: Any, fingerprint: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Returns position, seed, number of shards and shift of a state with this fingerprint.

    Raises:
        ArgumentTypeError, InvalidArgumentError: This is not a state.
        StateMismatchError: The state has a newer version, or belongs to another stream.
    """
    if not isinstance(state, Mapping):
        raise ArgumentTypeError(
            "The state must be a dictionary that `state_dict` has returned; received "
            f"{type(state).__name__}. Read a file of it with json.load(file)."
        )
    if _differ(state.get("format"), _FORMAT):
        raise InvalidArgumentError(
            "This is not a state: pass a dictionary that `state_dict` of an iterator has returned."
        )
    version, theirs = state.get("version"), state.get("fingerprint")
    if type(version) is not int or version < 1 or not isinstance(theirs, Mapping):
        raise InvalidArgumentError(f"The state is damaged: its version is {version!r:.40}.")
    if version != _VERSION:
        raise StateMismatchError(
            f"The state has version {version}; this imageloom reads version {_VERSION}. Update "
            "imageloom, or start without the state."
        )
    theirs = _without_unused(theirs)  # an earlier release left them in
    differences = [
        f"{name} was {theirs.get(name)!r} and is {fingerprint.get(name)!r}"
        for name in sorted({*theirs, *fingerprint}, key=str)
        if _differ(theirs.get(name), fingerprint.get(name))
    ]
    if differences:
        raise StateMismatchError(
            "The state belongs to another stream of batches: " + "; ".join(differences) + ". Use the "
            "same data and arguments, or start without the state."
        )
    position, seed, shards = state.get("position"), state.get("seed"), state.get("shards", 1)
    shift = state.get("shift", 0)
    if (
        not _in_range(shift, -_END, _END)
        or not _in_range(position, 0, _END)
        or not _in_range(seed, 0, 2**32)
        or not _in_range(shards, 1, _END)
    ):
        raise InvalidArgumentError(
            f"The state is damaged: position {position!r:.40}, seed {seed!r:.40}, "
            f"shards {shards!r:.40}, shift {shift!r:.40}."
        )
    return int(state["position"]), int(state["seed"]), int(shards), shift


def _differ(theirs: Any, ours: Any) -> bool:
    """Whether two values differ; what a damaged state has may refuse to be compared."""
    try:
        return bool(theirs != ours)
    except Exception:
        return True


def _in_range(value: Any, low: int, end: int) -> bool:
    return type(value) is int and low <= value < end
