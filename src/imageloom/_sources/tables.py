"""Reads a table of images from a file, with pandas, as programs do."""

from __future__ import annotations

import os
from typing import Any

from imageloom._errors import InvalidArgumentError, MissingDependencyError

__all__ = ["read_table"]


def read_table(path: str | os.PathLike[str]) -> Any:
    """The data frame that `pandas.read_csv` makes of a file; the separator is found out.

    Raises:
        MissingDependencyError: pandas is not installed.
        InvalidArgumentError: the file is no table.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError(
            "A table of images needs pandas, which is not installed: pip install 'imageloom[pandas]'."
        ) from error
    separator = "\t" if os.fspath(path).lower().endswith((".tsv", ".tab")) else ","
    try:
        return pd.read_csv(path, sep=separator)
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(
            f"{os.fspath(path)!r} is no table that pandas.read_csv reads: {error}"
        ) from error
