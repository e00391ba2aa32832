"""``python -m bench [cost|lists]``: every measurement there is, or one of them."""

import sys

from bench import cost, lists

MEASUREMENTS = {"cost": cost.main, "lists": lists.main}

chosen = sys.argv[1:] or list(MEASUREMENTS)
for name in chosen:
    if name not in MEASUREMENTS:
        sys.exit(f"bench: no such measurement: {name}; there are {', '.join(MEASUREMENTS)}")
    MEASUREMENTS[name]()
