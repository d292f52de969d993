"""Runs one program of tests/clients with both libraries, and keeps what it found out in a file."""

import pickle
import sys
from pathlib import Path

from client_programs import libraries_of, run_client

program, data, folder, kept = map(Path, sys.argv[1:])
outcomes = [run_client(program, library, data, folder) for library in libraries_of(program)]
kept.write_bytes(pickle.dumps(outcomes))
