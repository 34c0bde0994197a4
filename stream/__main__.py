"""``python -m stream`` is ``vtr``."""

from stream.cli import main

main()
