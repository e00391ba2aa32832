"""``python -m bench``: every measurement there is."""

from bench.cost import main

main()
