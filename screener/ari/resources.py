"""ARI's resources and their verbs, named as in Asterisk's api-docs."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from screener.ari.errors import NotFound, RequestFailed
from screener.ari.events import Channel, parse_channel

# One request: method, path below /ari, query. Returns the JSON of the answer, None where empty.
Request = Callable[..., Awaitable[Any]]


class Channels:
    """``/channels``: every verb returns when Asterisk took the command, not when it is done."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def list(self) -> list[Channel]:
        """Return every channel that Asterisk has, ours or not."""
        return [parse_channel(json) for json in await self._request("GET", "channels")]

    async def get(self, channel_id: str) -> Channel:
        """Return one channel, ours or not; NotFound when it is no more."""
        return parse_channel(await self._request("GET", f"channels/{quote(channel_id)}"))

    async def answer(self, channel_id: str) -> None:
        """Answer the channel (SIP: 200)."""
        await self._request("POST", f"channels/{quote(channel_id)}/answer")

    async def play(self, channel_id: str, media: str, playback_id: str) -> None:
        """Start playing ``media`` under an id of our choice; PlaybackFinished tells the end."""
        path = f"channels/{quote(channel_id)}/play/{quote(playback_id)}"
        await self._request("POST", path, media=media)

    async def variable(self, channel_id: str, variable: str) -> str | None:
        """Return a channel variable, None where it is not set."""
        path = f"channels/{quote(channel_id)}/variable"
        try:
            answer = await self._request("GET", path, variable=variable)
        except NotFound:
            return None
        return str(answer["value"]) or None

    async def continue_in_dialplan(self, channel_id: str, context: str, extension: str) -> None:
        """Let the channel go on at the first priority of a dialplan extension."""
        path = f"channels/{quote(channel_id)}/continue"
        await self._request("POST", path, context=context, extension=extension, priority="1")

    async def hangup(self, channel_id: str, cause: int) -> None:
        """Hang up; ``cause`` (Q.850) becomes the SIP status of a call not yet answered."""
        await self._request("DELETE", f"channels/{quote(channel_id)}", reason_code=str(cause))


class Applications:
    """``/applications``: what is ours, and what we hear of."""

    def __init__(self, request: Request, name: str) -> None:
        self._request = request
        self._name = name

    async def channel_ids(self) -> list[str]:
        """Return the channels of our application, among them some that are long gone."""
        answer = await self._request("GET", f"applications/{quote(self._name)}")
        return [str(channel_id) for channel_id in answer["channel_ids"]]

    async def subscribe(self, channel_id: str) -> None:
        """Hear of a channel also after it went on in the dialplan; NotFound if it is no more."""
        path = f"applications/{quote(self._name)}/subscription"
        try:
            await self._request("POST", path, eventSource=f"channel:{channel_id}")
        except RequestFailed as error:
            if error.status == 422:  # ARI's word for an event source that does not exist
                raise NotFound(f"POST {path}", 422, "the channel is no more") from None
            raise


class Events:
    """``/events``."""

    def __init__(self, request: Request, application: str) -> None:
        self._request = request
        self._application = application

    async def claim(self, channel_id: str) -> None:
        """Claim a broadcast call: NotFound when it is too late, Conflict when another has it."""
        await self._request(
            "POST", "events/claim", channelId=channel_id, application=self._application
        )
