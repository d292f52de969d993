"""Runs texts as the cells of a notebook."""

import json
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

cells = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
NotebookClient(notebook, timeout=90, kernel_name="python3").execute()
