"""One look at Asterisk from outside a call: is it there, which release, and who is connected."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from screener.ari.connection import ask_version, http_client
from screener.ari.errors import Unreachable


@dataclass(frozen=True, slots=True)
class Probe:
    """What a look at Asterisk found; ``registered`` if a screener is connected to take calls.

    ``variables`` are the global variables of the dialplan that were asked for and are set.
    """

    version: str
    registered: bool
    variables: Mapping[str, str] = field(default_factory=dict)


async def probe(
    url: str, application: str, user: str, password: str, variables: Sequence[str] = ()
) -> Probe:
    """Ask Asterisk once. Raises Unreachable, Refused or TooOld."""
    async with http_client(url, user, password) as http:
        version = await ask_version(http, url, user)
        try:
            async with asyncio.timeout(5):
                async with http.get(f"ari/applications/{application}") as answer:
                    registered = answer.status == 200
                known = {name: await _variable(http, name) for name in variables}
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"Asterisk at {url} stopped answering: {error}") from error
    return Probe(version, registered, {name: text for name, text in known.items() if text})


async def _variable(http: aiohttp.ClientSession, name: str) -> str:
    async with http.get("ari/asterisk/variable", params={"variable": name}) as answer:
        return str((await answer.json())["value"]) if answer.status == 200 else ""
