"""Write the tables of the results into `docs/performance.md`, below the comments that name their files.

python benchmarks/tables.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import options
import origin
from machine import RESULTS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
_TABLES = {"origin": origin.table, "options": options.table}


def with_tables(page: str, results: Path = RESULTS) -> str:
    """Return the page with the tables of the results in place of those that it has."""
    for name, table in _TABLES.items():
        record = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        place = re.compile(rf"<!-- {name}\.json -->\n\n(?:\|.*\n)*\n?(?:Measured .*\n\n)?")
        if not place.search(page):
            raise ValueError(f"the page has no comment for {name}.json")
        text = f"<!-- {name}.json -->\n\n{table(record)}\n\n{_where(record)}\n\n"
        page = place.sub(lambda _, text=text: text, page, count=1)
    return page


def _where(record: Mapping[str, Any]) -> str:
    """Return a sentence about when and on what it was measured."""
    machine, rounds = record["machine"], record["plan"]["rounds"]
    times = "once" if rounds == 1 else f"{rounds} times, medians"
    return (
        f"Measured {times}, on {record['date'][:10]}, {machine['processor']}, "
        f"{machine['cores']} cores, with a load of {machine['load_before']:.1f} then."
    )


def main() -> None:
    """Write the page."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
