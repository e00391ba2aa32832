"""How long the client waits for Asterisk."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All in seconds."""

    request: float = 2.0  # for the answer to one request
    connect: float = 5.0  # for each step of connecting
    heartbeat: float = 5.0  # between two signs of life; half of it more, and the connection is dead
    boot: float = 10.0  # for ARI to appear behind a web server: an Asterisk that starts is slower
    first_delay: float = 0.1  # before the second try to connect; doubled from try to try
    longest_delay: float = 5.0
