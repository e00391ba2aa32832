"""One look at Asterisk from outside a call: is it there, which release, and who is connected."""

import asyncio
from dataclasses import dataclass

import aiohttp

from screener.ari.connection import ask_version, http_client
from screener.ari.errors import Unreachable


@dataclass(frozen=True, slots=True)
class Probe:
    """What a look at Asterisk found; ``registered`` if a screener is connected to take calls."""

    version: str
    registered: bool


async def probe(url: str, application: str, user: str, password: str) -> Probe:
    """Ask Asterisk once. Raises Unreachable, Refused or TooOld."""
    async with http_client(url, user, password) as http:
        version = await ask_version(http, url, user)
        try:
            async with asyncio.timeout(5), http.get(f"ari/applications/{application}") as answer:
                return Probe(version, answer.status == 200)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"Asterisk at {url} stopped answering: {error}") from error
