"""``python -m screener`` is the ``screener`` command."""

from screener.service import main

main()
