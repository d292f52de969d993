"""`python -m imageloom`: the command line."""

from imageloom.cli import main

main()
