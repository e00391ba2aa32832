"""One look at Asterisk from outside a call: is it there, which release, and who is connected."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from screener.ari.connection import ask_version, http_client
from screener.ari.errors import Unreachable


@dataclass(frozen=True, slots=True)
class Probe:
    """What a look at Asterisk found.

    ``applications`` are the names under which it knows screeners; one that died may be among them
    for as long as it has calls. ``variables`` are the global variables of the dialplan that were
    asked for and are set.
    """

    version: str
    applications: frozenset[str]
    variables: Mapping[str, str] = field(default_factory=dict)


async def probe(url: str, user: str, password: str, variables: Sequence[str] = ()) -> Probe:
    """Ask Asterisk once. Raises Unreachable, Refused or TooOld."""
    async with http_client(url, user, password) as http:
        version = await ask_version(http, url, user)
        try:
            async with asyncio.timeout(5):
                async with http.get("ari/applications") as answer:
                    names = frozenset(str(each["name"]) for each in await answer.json())
                known = {name: await _variable(http, name) for name in variables}
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"Asterisk at {url} stopped answering: {error}") from error
        except (ValueError, KeyError, TypeError):
            raise Unreachable(f"what answers at {url} is not Asterisk") from None
    return Probe(version, names, {name: text for name, text in known.items() if text})


async def _variable(http: aiohttp.ClientSession, name: str) -> str:
    async with http.get("ari/asterisk/variable", params={"variable": name}) as answer:
        return str((await answer.json())["value"]) if answer.status == 200 else ""
