"""What `imageloom replay` and `imageloom verify` are given: JSON files, and the tables of runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from imageloom._cli.arguments import option
from imageloom._cli.terminal import Failure
from imageloom._cli.values import Place

__all__ = ["read_json", "table_option"]

table_option: Final[Callable[..., Any]] = option(
    "--table",
    type=Place(files=True),
    metavar="TABLE",
    help="The table of flow_from_dataframe (.csv or .tsv), or of flow_from_table: a Parquet or Arrow "
    "file, or a folder of save_to_disk.",
)


def read_json(path: Path) -> Any:
    """Returns what a JSON file has.

    Raises:
        Failure: it cannot be read, or it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Failure(f"{str(path)!r} is no JSON file, or it is damaged.") from error
