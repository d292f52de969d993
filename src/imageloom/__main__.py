"""`python -m imageloom`: the command line."""

from imageloom._cli import main

main()
