"""``python -m tracelith`` is the command line."""

from tracelith.cli import main

main()
