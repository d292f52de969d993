"""Where an iterator stands, as plain JSON: position, seed, and what the stream is made of.

A state may be loaded by an iterator with any executor and any number of workers, in another process and
on another day. It is refused, with what differs, by one over other data or with other arguments,
because the stream would then not go on but be another one. Hooks cannot be compared and are left out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from imageloom._errors import ArgumentTypeError, InvalidArgumentError, StateMismatchError
from imageloom._imaging.normalise import FeatureStatistics
from imageloom._options import GeneratorOptions

__all__ = ["IRRELEVANT_OPTIONS", "checked_state", "described", "make_state", "plain"]

_FORMAT: Final = "imageloom-state"
_VERSION: Final = 1
# What changes no value of the stream.
IRRELEVANT_OPTIONS: Final = frozenset(
    {
        "batch_size",  # the iterator's own counts
        "batch_timeout",
        "cache",
        "cache_limit",
        "cores",
        "debug",
        "disable_gpu_in_subprocesses",
        "executor",
        "get_batch_function",
        "max_batches_pending",
        "max_samples_per_class",  # seen in the data
        "noaug_preprocessing_function",
        "on_bad_image",
        "preprocessing_function",
        "save_format",
        "save_prefix",
        "save_to_dir",
        "validation_split",  # seen in the data
    }
)


def described(options: GeneratorOptions, statistics: FeatureStatistics) -> dict[str, Any]:
    """The arguments of a generator that decide about values."""
    arguments = {
        field.name: plain(getattr(options, field.name))
        for field in dataclasses.fields(options)
        if field.name not in IRRELEVANT_OPTIONS
    }
    for name in ("mean", "std", "zca_whitening_matrix"):
        found = getattr(statistics, name)
        digest = None if found is None else hashlib.sha256(found.tobytes()).hexdigest()[:16]
        arguments[f"fitted {name}"] = digest
    return arguments


def plain(value: Any) -> Any:
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value, default=_plain_object))


def _plain_object(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return str(value)


def make_state(position: int, seed: int, shards: int, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a stream, or of one of its shards; all of it survives JSON."""
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "position": position,
        "seed": seed,
        "shards": shards,
        "fingerprint": dict(fingerprint),
    }


def checked_state(state: Any, fingerprint: Mapping[str, Any]) -> tuple[int, int, int]:
    """Position, seed and number of shards of a state of the stream with this fingerprint.

    Raises:
        ArgumentTypeError, InvalidArgumentError: something else than a state.
        StateMismatchError: a state of a newer version, or of another stream.
    """
    if not isinstance(state, Mapping):
        raise ArgumentTypeError(
            f"A state is the dictionary that `state_dict` returned; received {type(state).__name__}."
        )
    if state.get("format") != _FORMAT:
        raise InvalidArgumentError("This is not a state that `state_dict` of an iterator returned.")
    version, theirs = state.get("version"), state.get("fingerprint")
    if type(version) is not int or version < 1 or not isinstance(theirs, Mapping):
        raise InvalidArgumentError(f"The state is damaged: version {version!r}.")
    if version != _VERSION:
        raise StateMismatchError(
            f"The state has version {version}; this imageloom reads version {_VERSION}. Update "
            "imageloom, or start anew."
        )
    differences = [
        f"{name} was {theirs.get(name)!r} and is {fingerprint.get(name)!r}"
        for name in sorted({*theirs, *fingerprint})
        if theirs.get(name) != fingerprint.get(name)
    ]
    if differences:
        raise StateMismatchError(
            "The state belongs to another stream of batches: " + "; ".join(differences) + "."
        )
    position, seed, shards = state.get("position"), state.get("seed"), state.get("shards", 1)
    if not _in_range(position, 0) or not _in_range(seed, 0, 2**32) or not _in_range(shards, 1):
        raise InvalidArgumentError(
            f"The state is damaged: position {position!r}, seed {seed!r}, shards {shards!r}."
        )
    return int(state["position"]), int(state["seed"]), int(shards)


def _in_range(value: Any, low: int, end: float = math.inf) -> bool:
    return type(value) is int and low <= value < end
