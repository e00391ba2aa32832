"""What Asterisk tells about channels, as typed values; see ARI's events.json for the fields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Channel:
    """One leg of a call.

    ``number`` and ``caller_name`` are the caller ID exactly as it came. ``stasis_args`` is what the
    dialplan handed to Stasis, None while the channel is elsewhere in the dialplan: the one sign
    to go by, since an application's list of channels names those it merely listens to as well.
    ``stasis_app`` is the application it was handed to, empty where that was whoever claims it: then
    nobody can see whether, and by whom, it was claimed.
    """

    id: str
    state: str = ""
    number: str = ""
    caller_name: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    stasis_args: tuple[str, ...] | None = None
    stasis_app: str = ""
    created_at: datetime | None = None

    def may_be_held_by(self, application: str) -> bool:
        """Tell whether the channel is in Stasis, and not known to be with somebody else."""
        return self.stasis_args is not None and self.stasis_app in {"", application}

    @property
    def comes_back(self) -> bool:
        """Whether it is in Stasis, with word of what the dialplan did, for whoever claims it."""
        return bool(self.stasis_args) and not self.stasis_app


@dataclass(frozen=True, slots=True)
class Event:
    """Anything that happened to a channel; ``channel_id`` says whose inbox it belongs in."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class CallBroadcast(Event):
    """The dialplan offers this channel to whoever claims it first.

    Where it ``comes_back``, whoever had it cannot be reached.
    """

    channel: Channel


@dataclass(frozen=True, slots=True)
class StasisStart(Event):
    """The channel is ours to command, with the dialplan's arguments."""

    channel: Channel
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StasisEnd(Event):
    """The channel is no longer ours: it went on in the dialplan, or it hung up."""


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest(Event):
    """The channel is to end. ``soft`` if Asterisk itself wants that, not the far end."""

    soft: bool


@dataclass(frozen=True, slots=True)
class ChannelDestroyed(Event):
    """The channel is no more. ``cause`` is the hangup cause (Q.850)."""

    cause: int


@dataclass(frozen=True, slots=True)
class Dial(Event):
    """The dialplan's Dial came a step further with a handset.

    ``dialstatus`` is empty when the INVITE went out, then RINGING, PROGRESS, ANSWER, BUSY, ….
    """

    peer_id: str
    dialstatus: str


@dataclass(frozen=True, slots=True)
class PlaybackFinished(Event):
    """A sound has been heard to its end (``heard``), or was cut short or could not be played."""

    playback_id: str
    heard: bool


@dataclass(frozen=True, slots=True)
class ApplicationReplaced(Event):
    """Another screener connected under our name; this connection hears nothing from now on."""


@dataclass(frozen=True, slots=True)
class ConnectionLost(Event):
    """The connection to Asterisk is down; what happens to the channel meanwhile goes unheard."""


@dataclass(frozen=True, slots=True)
class Reconnected(Event):
    """The connection is up again; ask Asterisk what is still there."""


Json = Mapping[str, Any]


def _channel(json: Json) -> Channel:
    caller = json.get("caller") or {}
    dialplan = json.get("dialplan") or {}
    application, arguments = dialplan.get("app_name"), str(dialplan.get("app_data") or "")
    return Channel(
        id=str(json["id"]),
        state=str(json.get("state", "")),
        number=str(caller.get("number", "")),
        caller_name=str(caller.get("name", "")),
        variables={k: str(v) for k, v in (json.get("channelvars") or {}).items()},
        stasis_args=_stasis_args(application, arguments),
        stasis_app=arguments.partition(",")[0] if application == "Stasis" else "",
        created_at=_moment(str(json.get("creationtime") or "")),
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _stasis_args(application: str | None, arguments: str) -> tuple[str, ...] | None:
    match application:
        case "Stasis":
            return tuple(arguments.split(",")[1:])
        case "StasisBroadcast":  # a limit, a filter, and what is for us
            ours = arguments.split(",")[2:3]
            return tuple(ours[0].split(":")) if ours else ()
        case _:
            return None


def _playback_finished(json: Json) -> PlaybackFinished:
    playback = json["playback"]
    scheme, _, channel_id = str(playback["target_uri"]).partition(":")
    if scheme != "channel":
        raise ValueError(f"a playback on a {scheme}")
    return PlaybackFinished(channel_id, str(playback["id"]), playback["state"] == "done")


def _dial(json: Json) -> Dial:
    return Dial(
        str(json["caller"]["id"]), str(json["peer"]["id"]), str(json.get("dialstatus") or "")
    )


def _id(json: Json) -> str:
    return str(json["channel"]["id"])


_PARSERS: Mapping[str, Callable[[Json], Event]] = {
    "CallBroadcast": lambda json: CallBroadcast(_id(json), _channel(json["channel"])),
    "StasisStart": lambda json: StasisStart(
        _id(json), _channel(json["channel"]), tuple(str(arg) for arg in json.get("args") or ())
    ),
    "StasisEnd": lambda json: StasisEnd(_id(json)),
    "ChannelHangupRequest": lambda json: ChannelHangupRequest(_id(json), bool(json.get("soft"))),
    "ChannelDestroyed": lambda json: ChannelDestroyed(_id(json), int(json.get("cause") or 0)),
    "Dial": _dial,
    "PlaybackFinished": _playback_finished,
    "ApplicationReplaced": lambda _: ApplicationReplaced(""),
}


EVENT_TYPES: Final = tuple(_PARSERS)


def parse(json: Json) -> Event | None:
    """Return the event in this JSON object; None for one of no interest or not well formed."""
    try:
        parser = _PARSERS.get(json["type"])
        return parser(json) if parser else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def parse_channel(json: Json) -> Channel:
    """Return the channel in this JSON object, as ``GET /channels`` lists it."""
    return _channel(json)
