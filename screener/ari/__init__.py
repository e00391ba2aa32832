"""A thin client of Asterisk's REST Interface: resources, verbs and events under ARI's own names."""

from screener.ari.client import Ari
from screener.ari.errors import (
    AriError,
    Conflict,
    NoAri,
    NotFound,
    Refused,
    RequestFailed,
    TooOld,
    Unreachable,
)
from screener.ari.limits import Limits

__all__ = [
    "Ari",
    "AriError",
    "Conflict",
    "Limits",
    "NoAri",
    "NotFound",
    "Refused",
    "RequestFailed",
    "TooOld",
    "Unreachable",
]
