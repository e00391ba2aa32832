"""What Asterisk complains of: to its console, and into no file that would grow for ever."""

import socket

from lab.asterisk import Asterisk
from lab.ports import Place
from lab.process import until
from lab.sip import registration, telephone

MALFORMED = b"INVITE sip:x SIP/2.0\r\nVia: nonsense\r\nFiller: " + b"x" * 900 + b"\r\n\r\n"


async def test_what_strangers_send_is_told_on_the_console_and_fills_no_file(
    asterisk: Asterisk, place: Place
) -> None:
    """Malformed packets and wrong passwords: the files of Asterisk's log are as before."""

    def files() -> dict[str, int]:
        return {each.name: each.stat().st_size for each in (asterisk.directory / "log").iterdir()}

    before, told = files(), len(asterisk.log())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((place.stranger, 0))
        for _ in range(100):
            stranger.sendto(MALFORMED, (place.sip.host, place.sip.port))
    async with telephone(place.sip_port(place.stranger), place.sip) as scanner:
        for _ in range(10):
            refused = await scanner.ask(registration(scanner), password="wrong")
            assert refused.status == 401
    await until(
        lambda: asterisk.log()[told:].count("bytes packet from") >= 50 or None,
        20,
        "the malformed packets",
    )
    await until(lambda: "failed for" in asterisk.log()[told:] or None, 20, "the wrong password")
    assert files() == before
