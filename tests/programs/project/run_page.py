"""Runs the blocks of a page, and tells which."""

import sys
from pathlib import Path

from document_blocks import run_page

for block in run_page(Path(sys.argv[1]), {"__name__": "__main__"}):
    print(block.first_line)
