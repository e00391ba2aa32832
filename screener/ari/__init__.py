"""A thin client of Asterisk's REST Interface: resources, verbs and events under ARI's own names."""

from screener.ari.client import Ari
from screener.ari.errors import (
    AriError,
    Conflict,
    NotFound,
    Refused,
    RequestFailed,
    TooOld,
    Unreachable,
)

__all__ = [
    "Ari",
    "AriError",
    "Conflict",
    "NotFound",
    "Refused",
    "RequestFailed",
    "TooOld",
    "Unreachable",
]
