"""What imageloom asks of tables of pyarrow and Hugging Face, in few lines.

Both packages are large, and are not installed for the tests. Workers import this module, so it imports
nothing.
"""

from __future__ import annotations

from typing import Any


class Scalar:
    def __init__(self, value: Any) -> None:
        self.value = value

    def as_py(self) -> Any:
        return self.value


class Column(list[Any]):
    """A column as Arrow has it."""

    def __getitem__(self, row: Any) -> Any:
        return Scalar(super().__getitem__(row))

    def to_pylist(self) -> list[Any]:
        return list(self)


class ArrowTable:
    """What imageloom asks a `pyarrow.Table` for."""

    schema = "image, label, weight"

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records = records
        self.num_rows = len(records)
        self.column_names = list(records[0]) if records else ["image", "label"]

    def column(self, name: str) -> Column:
        return Column([record[name] for record in self.records])


class DataSet:
    """What imageloom asks a data set of Hugging Face for: its rows as an Arrow table."""

    column_names = ("image", "label", "weight")

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records = records
        names = type("ClassLabel", (), {"names": ["cat", "dog", "eel"]})()
        self.features = {"label": names}

    def __len__(self) -> int:
        return len(self.records)

    def select_columns(self, names: list[str]) -> DataSet:
        assert names
        return self

    def with_format(self, kind: str) -> DataSet:
        assert kind == "arrow", "any other one decodes the images"
        return self

    def __getitem__(self, rows: slice) -> ArrowTable:
        return ArrowTable(self.records[rows])


class OnlyHere(ArrowTable):
    """A table in memory, which is too large to travel."""

    def __reduce__(self) -> Any:
        raise TypeError("it stays here")
