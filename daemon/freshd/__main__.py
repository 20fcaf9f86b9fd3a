"""`python -m freshd`."""

from freshd.cli import main

main()
