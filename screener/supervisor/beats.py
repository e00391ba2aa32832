"""What worker and supervisor say to each other over a pipe, and how fast the worker's heart beats.

First one line of JSON, the worker's way to Asterisk; then one byte for each beat.
"""

from typing import Final

SECONDS: Final = 0.25  # between two beats
WAITING: Final = b"."  # for Asterisk
WORKING: Final = b"+"
ENDING: Final = b"!"  # the last: no more beats, but there is something to put in order
