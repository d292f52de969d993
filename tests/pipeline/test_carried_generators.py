"""What functions draw from is found without a look at the insides of libraries."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from imageloom._pipeline.carried import find_generators


def _noisy(x: Any) -> Any:
    return x + np.random.normal(0, 1, x.shape)


_normal = np.random.normal


def _noisy_by_a_name(x: Any) -> Any:
    return x + _normal(0, 1, x.shape)


@pytest.mark.parametrize(
    "function", [_noisy, _noisy_by_a_name, functools.partial(_noisy)], ids=["named", "kept", "partial"]
)
def test_methods_of_numpys_generator_are_not_looked_through(function: Any) -> None:
    # They are compiled, and know all that the module knows that they were compiled in.
    found = find_generators([("hook", function)])
    assert found.used == {"numpy"}
    assert not found.carried
    assert not found.unruly


def test_what_only_names_numpys_generator_holds_no_objects() -> None:
    # Else it would be looked for generators again after the first batches.
    assert not find_generators([("hook", _noisy)]).objects


def test_a_generator_of_a_method_is_found() -> None:
    rng = np.random.RandomState(3)
    normal = rng.normal
    found = find_generators([("hook", lambda x: x + normal(0, 1, x.shape))])
    assert list(found.carried) == ["hook:normal"]
