"""Run the notebook of the tour in an empty folder, and keep it with its outputs.

Usage::

    python tools/write_tour.py [TARGET]

Without a target, the notebook itself is replaced: do so after a change of its cells, or of what they
show. What varies from run to run and is of no use to readers, such as times of execution, is left out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TOUR = Path(__file__).resolve().parent.parent / "examples" / "tour.ipynb"


def is_noise(output: nbformat.NotebookNode) -> bool:
    """Whether it is what TensorFlow writes when it is loaded, where it is installed."""
    return output.get("name") == "stderr" and "absl::InitializeLog" in output.text


def kept(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The output, with one form of each picture: Pillow shows PNG, and JPEG, which is smaller."""
    if "image/jpeg" in output.get("data", {}):
        output.data.pop("image/png", None)
    return output


def main(target: Path) -> None:
    """Run all cells, and write the notebook."""
    notebook = nbformat.read(TOUR, 4)
    metadata = dict(notebook.metadata)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as empty:
        client = NotebookClient(
            notebook,
            timeout=200,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": empty}},
        )
        client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [kept(output) for output in cell.outputs if not is_noise(output)]
    notebook.metadata = nbformat.from_dict(metadata)
    nbformat.write(notebook, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TOUR)
