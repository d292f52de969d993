"""The records that travel with each batch come back as they were."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pytest

from imageloom._executors.workers.messages import Compute, Done
from imageloom._pipeline.recipe import BatchReport, BatchSpec, BatchTask
from imageloom._pipeline.records import quickly_pickled
from imageloom._pipeline.timing import BatchTimes

SPEC = BatchSpec(3, 1, np.arange(4), seed=7, permuted=9, drawn={"pos": 5})
TASK = BatchTask(spec=SPEC, filenames=("a.png", ("b.png", "c.png")), root="/data", class_ids=(1, 0))
REPORT = BatchReport(
    warnings=(("key", "text", UserWarning),),
    seconds={"read": 0.5, "transform": 0.25},
    times=BatchTimes(1, 2, 3.0, 4.0, b"\1\2", b"12345678"),
    cache_hits=3,
    pictures=(("a.png", b"content"),),
)


def parts(record: Any) -> Any:
    """The record as plain data, with the classes of the records within."""
    if isinstance(record, np.ndarray):
        return record.dtype, record.tolist()
    if hasattr(record, "__dataclass_fields__"):
        return type(record), [parts(getattr(record, field.name)) for field in fields(record)]
    return record


@pytest.mark.parametrize("record", [SPEC, TASK, REPORT, Compute(1, 2, TASK), Done(REPORT)], ids=repr)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_they_are_pickled_with_all_their_fields(record: Any, protocol: int) -> None:
    assert parts(pickle.loads(pickle.dumps(record, protocol))) == parts(record)
    assert parts(copy.copy(record)) == parts(copy.deepcopy(record)) == parts(record)


@dataclass(frozen=True, slots=True)
class Plain:
    """What data classes do by themselves."""

    first: int
    second: str = "x"


@quickly_pickled
@dataclass(frozen=True, slots=True)
class Quick:
    """The same, with a state that is found in less time."""

    first: int
    second: str = "x"


def test_they_still_cannot_be_changed_and_compare_as_before() -> None:
    quick = pickle.loads(pickle.dumps(Quick(4)))
    assert quick == Quick(4) != Quick(5)
    assert hash(quick) == hash(Quick(4))
    with pytest.raises(AttributeError):
        quick.first = 5
    assert len(pickle.dumps(quick)) <= len(pickle.dumps(Plain(4)))


def test_a_state_with_too_few_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Quick(1).__setstate__((1,))  # type: ignore[attr-defined]
