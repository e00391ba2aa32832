"""What can go wrong with ARI, as a small tree.

AriError
├── Unreachable         no connection, or no answer in time; trying again may help
├── Refused             the user or password is wrong, or another took our name
│   └── NoAri           404 to everything: ARI is not enabled, or Asterisk is still starting
├── TooOld              this Asterisk is older than the first supported release
└── RequestFailed       Asterisk answered with an HTTP status of 400 or more
    ├── NotFound        404: the channel (playback, subscription …) is no more
    └── Conflict        409: it is not in a state for this, or another claimed it first
"""

from typing import Final


class AriError(Exception):
    """Something is wrong between the screener and Asterisk; ``str()`` is one line for people."""


class Unreachable(AriError):
    """Asterisk could not be reached or did not answer in time; trying again may help."""


class Refused(AriError):
    """Asterisk does not let this user in; trying again with the same password will not help."""


class NoAri(Refused):
    """A web server, but no ARI there: not enabled, not loaded yet, or not Asterisk at all."""


class TooOld(AriError):
    """This Asterisk lacks what the screener needs."""


class RequestFailed(AriError):
    """Asterisk answered a request with an error."""

    def __init__(self, request: str, status: int, reason: str) -> None:
        super().__init__(f"{request}: {status} {reason}".rstrip())
        self.status: Final = status


class NotFound(RequestFailed):
    """What the request names is no more."""


class Conflict(RequestFailed):
    """What the request names is not in a state for it."""


def request_failed(request: str, status: int, reason: str) -> RequestFailed:
    """Return the error that stands for this HTTP status."""
    kind = {404: NotFound, 409: Conflict}.get(status, RequestFailed)
    return kind(request, status, reason)
