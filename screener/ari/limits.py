"""How long the client waits for Asterisk."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All in seconds."""

    request: float = 2.0  # for the answer to one request
    connect: float = 5.0  # for each step of connecting
    ping: float = 0.5  # of silence, then Asterisk is asked for a sign of life, again and again
    silence: float = 2.5  # in spite of that, and the connection is dead; a request may take as long
    goodbye: float = 0.2  # for Asterisk's word when we leave; one that hangs has none
    boot: float = 10.0  # for ARI to appear behind a web server: an Asterisk that starts is slower
    first_delay: float = 0.1  # before the second try to connect; doubled from try to try
    longest_delay: float = 5.0
