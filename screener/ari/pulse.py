"""What comes by a WebSocket, for as long as the other end gives a sign of life."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable

import aiohttp

from screener.ari.limits import Limits


async def texts(
    websocket: aiohttp.ClientWebSocketResponse, limits: Limits
) -> AsyncGenerator[str, None]:
    """Yield each text until the connection ends, or nothing was heard for ``limits.silence``.

    The WebSocket must leave pings to us, so that every sign of life is seen here.
    """
    silent = 0
    while True:
        try:
            message = await websocket.receive(timeout=limits.ping)
        except TimeoutError:
            # Counted, not timed: what came while our own loop was blocked is read first.
            silent += 1
            if silent * limits.ping >= limits.silence or not await _sent(websocket.ping(), limits):
                return
            continue
        silent = 0
        match message.type:
            case aiohttp.WSMsgType.TEXT:
                yield message.data
            case aiohttp.WSMsgType.PING:
                if not await _sent(websocket.pong(message.data), limits):
                    return
            case _ if websocket.closed:
                return


async def _sent(sign_of_life: Awaitable[None], limits: Limits) -> bool:
    """Send a ping or its answer; False where the connection has ended."""
    try:
        async with asyncio.timeout(limits.ping):
            await sign_of_life
    except TimeoutError:  # so much waits to be sent
        return True
    except (aiohttp.ClientError, OSError):
        return False
    return True
