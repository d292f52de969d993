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
from imageloom._api.iterators.origins import check_names, decoded
from imageloom._api.iterators.receipts import is_receipt
from imageloom._api.iterators.records import RecordIterator
from imageloom._api.statistics_file import statistics_of_file
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._sources.shards import moved_shards
from imageloom._sources.tables import read_table
from imageloom._storage.encoded_tables import table_of
from imageloom._storage.urls import common_folder, is_url, join, name_below, split

__all__ = ["at_state", "rebuilt", "state_in"]

FileIterator = DirectoryIterator[Any] | DataFrameIterator[Any] | RecordIterator[Any]

_FILES: Final = {"DirectoryIterator": DirectoryIterator, "DataFrameIterator": DataFrameIterator}
_FLOWS: Final = ("flow_from_table", "flow_from_webdataset")  # by what a state names
_TABLES: Final = ("dataframe", "table")
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
        directory: the folder or URL of the images, shards or files of tables, if not the one that the
            state names.
        table: the file of the data frame, for `flow_from_dataframe`; for `flow_from_table` the Parquet
            or Arrow file, or the folder of `save_to_disk`, in place of the table of the run.
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
        kind = str(origin["iterator"])
        missing = [name for name in origin["missing"] if name not in _TABLES]
        arguments = {name: decoded(value) for name, value in origin["arguments"].items()}
        options = {name: decoded(value) for name, value in origin["options"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidArgumentError("The state is damaged: its `origin` lacks something.") from error
    check_names(arguments, options)
    if pictures:
        options = {name: value for name, value in options.items() if name not in _NORMALISATION}
    if kind not in (*_FILES, *_FLOWS) or missing:
        what = ", ".join(map(str, missing)) or f"the data of a {kind:.40}"
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
    try:
        _place(kind, arguments, directory, table, instead)
        generator = ImageDataGenerator(**{**options, **background})
        _take_statistics(generator, saved)
        if statistics is not None:
            _take_file(generator, statistics, state)
        arguments.update(seed=state.get("seed"), verbose=False)
        made: FileIterator
        if kind in _FLOWS:
            made = getattr(generator, kind)(**arguments)
        else:
            made = _FILES[kind](**arguments, image_data_generator=generator)
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


def _place(
    kind: str,
    arguments: dict[str, Any],
    directory: str | os.PathLike[str] | None,
    table: str | os.PathLike[str] | None,
    instead: str,
) -> None:
    """Puts the places of the data into the arguments, for those that lie elsewhere now."""
    if kind == "flow_from_table":
        arguments["table"] = _table(arguments.get("table"), directory, table, instead)
    elif directory is not None:
        key = "urls" if kind == "flow_from_webdataset" else "directory"
        folder = os.fspath(directory)
        arguments[key] = moved_shards(arguments.get(key), folder) if key == "urls" else folder
    if kind == "DataFrameIterator":
        arguments["dataframe"] = _frame(table)


def _table(
    place: Any,
    directory: str | os.PathLike[str] | None,
    table: str | os.PathLike[str] | None,
    instead: str,
) -> Any:
    """What `flow_from_table` is given: files, or a table of them.

    Args:
        place: what the state has of the table; None if that was in the memory of the program.
        directory: the folder or URL of its files, if that is another one now.
        table: a file or folder to take in its place.
        instead: what to do in Python, for the error.
    """
    if table is not None:
        return os.fspath(table)
    if place is None:
        raise InvalidArgumentError(
            "The state is of `flow_from_table`, and its table was in the memory of the program: name a "
            "Parquet or Arrow file with the same rows, or a folder that `save_to_disk` has written, "
            f"with --table. Or in Python, {instead}."
        )
    try:
        files, rows = [str(file) for file in place["files"]], place["rows"]
    except (KeyError, TypeError) as error:
        raise InvalidArgumentError("The state is damaged: its `origin` lacks something.") from error
    if directory is not None:
        folder = os.fspath(directory)
        root = common_folder(
            [split(file)[0] if is_url(file) else os.path.dirname(file) for file in files]
        )
        files = [join(folder, name_below(root, file)) for file in files]
    if rows is not None and (present := len(table_of(files))) != rows:
        raise InvalidArgumentError(
            f"The state is of a data set of {rows} rows, and its files have {present}, because the "
            "program had selected some of them: save the data set that it has read with `save_to_disk` "
            f"and name this folder with --table. Or in Python, {instead}."
        )
    return files


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
