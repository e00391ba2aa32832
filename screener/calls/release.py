"""Hands calls that a screener left in Stasis back to the dialplan; so light that it can outlive it.

Nothing but the standard library, and no other part of the screener: the supervisor carries this
about all the time, so that nothing is left to be loaded when somebody waits on the line.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

REQUEST_SECONDS: Final = 2.0
_MOST_FAILURES: Final = 3  # then it is Asterisk that hangs, and not a call

# Where a call goes on, by what it came into Stasis with: its ring or its message is over, and the
# dialplan takes leave of it; in the middle of being screened, the handset rings.
_WAYS_OUT: Final = {"rang": ("ring", "over"), "message": ("message", "over")}
_SCREENED: Final = ("without-screener", "released")


class CannotReleaseError(Exception):
    """Asterisk cannot be asked; ``str()`` is one line for people."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where Asterisk's ARI is, who we are there, and our password."""

    url: str
    application: str
    user: str
    password: str = field(repr=False)


def release(door: Door) -> int:
    """Hand back every call that our application holds; return how many.

    Raises CannotReleaseError where Asterisk does not answer or does not let us in.
    """
    try:
        with closing(_Requests(door)) as requests:
            return _let_all_go(requests, list(_held(requests, door.application)))
    except (OSError, HTTPException) as error:
        said = str(error) or type(error).__name__
        raise CannotReleaseError(f"Asterisk at {door.url} cannot be reached: {said}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CannotReleaseError(f"what answers at {door.url} is not Asterisk") from None


def _let_all_go(requests: "_Requests", calls: Sequence[tuple[str, str]]) -> int:
    """Send each call on its way, and none of them in vain because another hangs; return how many.

    Raises the first error at the end.
    """
    gone, failed = 0, []
    for call in calls:
        try:
            gone += _let_go(requests, *call)
        except (OSError, HTTPException) as error:
            failed.append(error)
            requests.close()  # the next opens it again
            if len(failed) >= _MOST_FAILURES:
                break
    if failed:
        raise failed[0]
    return gone


def _held(requests: "_Requests", application: str) -> Iterator[tuple[str, str]]:
    """Yield the id of each channel that is held, and the word that it came into Stasis with."""
    status, ours = requests.ask("GET", f"applications/{quote(application)}")
    if status == 404 and "message" in ours:  # no screener came since Asterisk started
        return
    if status >= 400:
        raise CannotReleaseError(f"Asterisk answers {status} to the user of the screener")
    _, channels = requests.ask("GET", "channels")
    # An application's channels are those, too, to which it merely listens, and some long gone.
    known = {str(channel_id) for channel_id in ours["channel_ids"]}
    for channel in channels:
        dialplan = channel["dialplan"]
        if str(channel["id"]) in known and dialplan["app_name"] in {"Stasis", "StasisBroadcast"}:
            words = str(dialplan["app_data"]).split(",")
            if dialplan["app_name"] == "StasisBroadcast":  # a limit, a filter, and what is for us
                # One that comes back was offered because we are away: it is in other hands.
                words = [""] if words[2:] else [application]
            if words[0] == application:
                yield str(channel["id"]), words[1] if len(words) > 1 else ""


def _let_go(requests: "_Requests", channel_id: str, came_with: str) -> bool:
    """Send one channel on its way; False if it was gone or on its way already."""
    context, extension = _WAYS_OUT.get(came_with, _SCREENED)
    query = urlencode({"context": context, "extension": extension, "priority": 1})
    status, _ = requests.ask("POST", f"channels/{quote(channel_id)}/continue?{query}")
    if (context, extension) == _SCREENED:
        # It goes when what it hears is over: now. In this order, or a screener that lives would
        # take the warning for heard, and command the call before we do.
        requests.ask("DELETE", f"playbacks/{quote(channel_id)}-warning")
    return status < 400


class _Requests:
    """Requests to ARI, one after the other over one connection."""

    def __init__(self, door: Door) -> None:
        where = urlsplit(door.url)
        kind = HTTPSConnection if where.scheme == "https" else HTTPConnection
        self._http = kind(where.hostname or "", where.port, timeout=REQUEST_SECONDS)
        self._path = f"{where.path.rstrip('/')}/ari"
        credentials = base64.b64encode(f"{door.user}:{door.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}"}

    def ask(self, method: str, path: str) -> tuple[int, Any]:
        """Return status and JSON of the answer, None where that is empty or not JSON."""
        self._http.request(method, f"{self._path}/{path}", headers=self._headers)
        with self._http.getresponse() as answer:
            body = answer.read()
        value = None
        with suppress(ValueError):
            value = json.loads(body) if body else None
        return answer.status, value

    def close(self) -> None:
        self._http.close()
