"""Makes an iterator again from a state or receipt, for `imageloom replay` and `imageloom verify`.

Both are files that somebody else may have written: only names of this library's arguments and options
are taken from them, nothing is imported, and nothing is written where they say.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from imageloom._api.generator import ImageDataGenerator
from imageloom._api.iterators.dataframes import DataFrameIterator
from imageloom._api.iterators.directories import DirectoryIterator
from imageloom._api.iterators.origins import decoded
from imageloom._api.iterators.receipts import is_receipt
from imageloom._api.statistics_file import statistics_of_file
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._sources.tables import read_table

__all__ = ["at_state", "rebuilt", "state_in"]

FileIterator = DirectoryIterator[Any] | DataFrameIterator[Any]

_FILES: Final = {"DirectoryIterator": DirectoryIterator, "DataFrameIterator": DataFrameIterator}
_TABLES: Final = ("dataframe",)
# Options and statistics of the normalisation, which pictures do not show.
_NORMALISATION: Final = (
    "featurewise_center", "featurewise_std_normalization", "zca_whitening", "fitted mean", "fitted std",
    "fitted zca_whitening_matrix",
)  # fmt: skip


def state_in(found: Any) -> Mapping[str, Any]:
    """The state in what a JSON file has: a state, a receipt, or what `ResumeCallback` has saved.

    Raises:
        InvalidArgumentError: there is none.
    """
    if isinstance(found, Mapping):
        key = "state" if is_receipt(found) else "iterator"
        state = found.get(key, found)
        if isinstance(state, Mapping) and isinstance(state.get("fingerprint"), Mapping):
            return state
    raise InvalidArgumentError(
        "There is no state of an iterator in this file. Write one with json.dump(it.state_dict(), "
        "file), or name the file of `ResumeCallback`."
    )


def rebuilt(
    saved: Any,
    directory: str | os.PathLike[str] | None = None,
    table: str | os.PathLike[str] | None = None,
    statistics: str | os.PathLike[str] | None = None,
    *,
    instead: str,
    pictures: bool = False,
    **background: Any,
) -> FileIterator:
    """Makes the iterator of a state or receipt again, at the start of its stream.

    Args:
        saved: what the JSON file has.
        directory: the folder of the images, if not the one that the state names.
        table: the file of the data frame, for `flow_from_dataframe`.
        statistics: the file that `imageloom stats` has written, for whitening; what it has counts
            instead of what a receipt has.
        instead: what to do in Python where this cannot be done, in words for the error.
        pictures: leave out the normalisation over the data set, whose statistics a state lacks.
        background: options of the generator about who computes batches.

    Raises:
        InvalidArgumentError: it cannot be made from a state alone, or the state is damaged.
        ImageLoomError: the library refuses the folder or the arguments.
    """
    state = state_in(saved)
    origin = state.get("origin")
    if not isinstance(origin, Mapping):
        raise InvalidArgumentError(
            "The state does not say how its iterator was made, because an older imageloom has written "
            f"it, or because it is damaged. In Python, {instead}."
        )
    try:
        kind = _FILES.get(origin["iterator"])
        missing = [name for name in origin["missing"] if name not in _TABLES]
        arguments = {name: decoded(value) for name, value in origin["arguments"].items()}
        options = {name: decoded(value) for name, value in origin["options"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidArgumentError("The state is damaged: its `origin` lacks something.") from error
    if pictures:
        options = {name: value for name, value in options.items() if name not in _NORMALISATION}
    if kind is None or missing:
        what = ", ".join(map(str, missing)) or f"the data of a {origin['iterator']:.40}"
        raise InvalidArgumentError(
            f"A state holds no functions, classes and arrays, and this one needs {what}. In Python, "
            f"where they are, {instead}."
        )
    if not pictures and statistics is None and _fitted(state, "zca_whitening_matrix"):
        raise InvalidArgumentError(
            "The generator whitens images, and a receipt has no room for the matrix: name the file of "
            "statistics that the generator was fitted with, as `imageloom stats --zca` writes it, with "
            f"--statistics. Or in Python, {instead}."
        )
    index = arguments.get("shuffle_index_dir")
    if index is not None and not os.path.isdir(os.path.join(index, ".index")):
        raise InvalidArgumentError(
            f"The order of this data set is in index files, which are not in {index!r}: copy the "
            "folder `.index` of the run there."
        )
    if directory is not None:
        arguments["directory"] = os.fspath(directory)
    if kind is DataFrameIterator:
        arguments["dataframe"] = _frame(table)
    try:
        generator = ImageDataGenerator(**{**options, **background})
        _take_statistics(generator, saved)
        if statistics is not None:
            _take_file(generator, statistics, state)
        made: FileIterator = kind(
            **arguments, image_data_generator=generator, seed=state.get("seed"), verbose=False
        )
    except ArgumentTypeError as error:
        raise InvalidArgumentError(
            f"The iterator cannot be made again: {error} Is the state of a newer imageloom?"
        ) from error
    return made


def at_state(flow: FileIterator, state: Mapping[str, Any]) -> None:
    """Moves an iterator for pictures to a state, which must be of its data and arguments.

    Raises:
        StateMismatchError: it is of others; the message says what differs.
    """
    own, theirs = flow.state_dict()["fingerprint"], dict(state["fingerprint"])
    theirs.update({name: own[name] for name in _NORMALISATION})
    flow.load_state_dict({**state, "fingerprint": theirs})


def _frame(table: str | os.PathLike[str] | None) -> Any:
    if table is None:
        raise InvalidArgumentError(
            "The state is of `flow_from_dataframe`, and a state does not hold the table: name its file "
            "(.csv or .tsv) with --table."
        )
    return read_table(table)


def _take_statistics(generator: ImageDataGenerator, saved: Any) -> None:
    """Gives a generator the mean and deviation of a receipt, as `fit` had computed them."""
    statistics = saved.get("statistics", {}) if is_receipt(saved) else {}
    for name in ("mean", "std"):
        if name in statistics:
            found = statistics[name]
            setattr(generator, name, np.array(found["values"], dtype=np.dtype(found["dtype"])))


def _take_file(
    generator: ImageDataGenerator, path: str | os.PathLike[str], state: Mapping[str, Any]
) -> None:
    """Gives a generator those statistics of a file that the one of the state had."""
    found = statistics_of_file(path, generator._options())
    names = ("mean", "std", "zca_whitening_matrix")
    unused = {name: None for name in names if not _fitted(state, name)}
    generator._take(dataclasses.replace(found, **unused))


def _fitted(state: Mapping[str, Any], name: str) -> bool:
    return state["fingerprint"].get(f"fitted {name}") is not None
