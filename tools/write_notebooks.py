"""Run the notebooks of examples/, each in an empty folder, and keep them with their outputs.

Usage::

    python tools/write_notebooks.py [--into FOLDER] [NAME ...]

Without names, all are run, and without a folder the notebooks themselves are replaced: do so after a
change of their cells, or of what they show. What varies from run to run and is of no use to readers,
such as times of execution, is left out.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def is_noise(output: nbformat.NotebookNode) -> bool:
    """Whether it is what TensorFlow writes when it is loaded, where it is installed."""
    return output.get("name") == "stderr" and "absl::InitializeLog" in output.text


def kept(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The output, with one form of each picture: Pillow shows PNG, and JPEG, which is smaller."""
    if "image/jpeg" in output.get("data", {}):
        output.data.pop("image/png", None)
    return output


def run(source: Path, target: Path) -> None:
    """Run all cells of a notebook, and write it."""
    notebook = nbformat.read(source, 4)
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


def main() -> None:
    """Run those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as tour")
    parser.add_argument("--into", type=Path, default=EXAMPLES, metavar="FOLDER")
    arguments = parser.parse_args()
    names = arguments.names or sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))
    for name in names:
        run(EXAMPLES / f"{name}.ipynb", arguments.into / f"{name}.ipynb")


if __name__ == "__main__":
    main()
